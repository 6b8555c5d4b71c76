"""Names of simulated things: invented brands, real cities, the channels of Chinese retail."""

FIRST_SYLLABLES = "青云鹿禾山溪月星松柏竹兰沐朗晴暖甜安悦乐满初知白南北光森麦谷"
SECOND_SYLLABLES = "野屿鸣田语诺川木原果里集坊味家记源屋作邻朵町园泽"

SERIES = (
    "经典", "精选", "轻享", "优选", "臻选", "匠心", "每日", "初心", "悦享", "原味", "晨光", "暖阳", "清新", "元气",
    "自在", "小时光", "四季", "乐活", "简约", "本色", "山野", "海岸", "云朵", "花园", "星空", "日和", "拾光", "如意",
    "锦绣", "欢喜", "团圆", "知味", "旅行", "城市", "田园", "童趣",
)  # fmt: skip
GENERATIONS = ("", "二代", "三代", "四代")

CITIES = (
    "上海", "北京", "广州", "深圳", "成都", "杭州", "武汉", "重庆",
    "西安", "苏州", "南京", "长沙", "青岛", "郑州", "昆明", "哈尔滨",
)  # fmt: skip
CITY_WEIGHTS = (16, 15, 11, 11, 10, 9, 7, 7, 5, 5, 5, 4, 3, 3, 2, 2)

SOURCES = ("抖音直播", "抖音商城", "抖音短视频", "小红书", "微博", "门店")
"""How members are won."""
SOURCE_SHARES = (0.22, 0.14, 0.14, 0.16, 0.06, 0.28)
SOURCE_HAZARD = (1.7, 1.2, 1.3, 0.9, 1.2, 0.6)
"""How fast they leave again, against the mean."""

ONLINE = ("小程序", "App", "抖音商城")
ONLINE_SHARES = (0.5, 0.3, 0.2)
STORE = "门店"

TIERS = ("普通会员", "银卡会员", "金卡会员", "钻石会员")
TIER_SHARES = (0.5, 0.8, 0.95)
"""Quantiles of spending at which the next tier begins."""

CONTACT_CHANNELS = ("短信", "企业微信", "公众号")
CONTENT_FORMATS = ("图文", "短视频", "直播预告")
CAMPAIGN_KINDS = ("优惠券", "上新", "直播")
CAMPAIGN_NAMES = ("会员日", "焕新季", "宠粉周", "换季清仓", "年中大促", "周年庆", "返场", "尝鲜季")
PLACEMENTS = ("首页", "搜索", "签到页", "商品页", "购物车")
