"""What a member's shares are taken of."""

from recsys.features.expression import Relation

# One row a member: visits are purchase days, visit_span the days from the first to the last one, *_times count
# (item, day) pairs.
MEMBER_TOTAL = Relation(
    "member_total",
    """
    SELECT visited.member_code, visits, visit_span, product_times, subcategory_times, price_level
    FROM (
        SELECT member_code, count(*) AS visits, max(day) - min(day) AS visit_span
        FROM member_day GROUP BY member_code
    ) AS visited
    JOIN (
        SELECT member_code, CAST(sum(days) AS BIGINT) AS product_times FROM member_product_life GROUP BY member_code
    ) AS bought ON bought.member_code = visited.member_code
    JOIN (
        SELECT member_code, CAST(sum(days) AS BIGINT) AS subcategory_times
        FROM member_subcategory_life GROUP BY member_code
    ) AS kinds ON kinds.member_code = visited.member_code
    JOIN (
        SELECT member_code, sum(money) / nullif(sum(expected), 0) AS price_level FROM member_spend GROUP BY member_code
    ) AS spent ON spent.member_code = visited.member_code
    """,
)

SOURCES = (MEMBER_TOTAL,)
