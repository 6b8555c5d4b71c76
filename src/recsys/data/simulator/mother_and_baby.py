"""A mother-and-baby shop: needs begin and end with the age of the child."""

from recsys.data.simulator.profile import Category, Profile

TINS = ("400g", "800g", "900g")
FORMULAS = tuple(tuple(f"{milk}{stage}段" for milk in ("牛奶粉", "羊奶粉", "有机奶粉")) for stage in (1, 2, 3))

MOTHER_AND_BABY = Profile(
    name="mother-and-baby",
    categories=(
        Category("奶粉1段", 13, 4.0, 1.5, 268, FORMULAS[0], TINS, stage=(0, 6), uptake=0.6),
        Category("奶粉2段", 12, 4.0, 1.5, 258, FORMULAS[1], TINS, stage=(6, 12), uptake=0.75, follows="奶粉1段"),
        Category("奶粉3段", 16, 4.0, 1.5, 238, FORMULAS[2], TINS, stage=(12, 36), uptake=0.7, follows="奶粉2段"),
        Category("纸尿裤", 18, 4.0, 1.5, 99, ("NB码", "S码", "M码"), ("60片", "84片"), stage=(0, 14), uptake=0.95),
        Category(
            "拉拉裤",
            20,
            3.0,
            1.2,
            109,
            ("L码", "XL码"),
            ("48片", "64片"),
            stage=(12, 30),
            uptake=0.85,
            follows="纸尿裤",
        ),
        Category("米粉辅食", 20, 2.0, 1.2, 59, ("高铁米粉", "杂粮米粉"), ("225g", "500g"), stage=(6, 18), uptake=0.8),
        Category(
            "果泥肉泥", 14, 2.0, 1.2, 29, ("果泥", "肉泥", "蔬菜泥"), ("100g×4", "120g"), stage=(6, 24), uptake=0.7
        ),
        Category("宝宝零食", 14, 2.0, 1.4, 25, ("泡芙", "磨牙棒", "溶豆"), ("50g", "100g"), stage=(8, 48), uptake=0.7),
        Category(
            "儿童营养", 35, 1.2, 1.2, 128, ("DHA", "益生菌", "维生素D"), ("30粒", "60粒"), stage=(1, 36), uptake=0.5
        ),
        Category(
            "奶瓶", 70, 1.0, 0.8, 89, ("玻璃奶瓶", "PPSU奶瓶", "奶嘴"), ("160ml", "240ml"), stage=(0, 15), uptake=0.7
        ),
        Category("湿巾", 18, 3.0, 1.0, 26, ("手口湿巾", "云柔巾"), ("80抽×5", "100抽×6")),
        Category("婴儿洗护", 45, 2.0, 1.2, 56, ("沐浴露", "润肤霜", "护臀膏"), ("200ml", "500ml")),
        Category("洗衣清洁", 40, 1.6, 0.8, 45, ("婴儿洗衣液", "奶瓶清洁剂"), ("1L", "2kg")),
        Category("孕妈营养", 30, 1.0, 0.8, 139, ("叶酸", "孕妇奶粉"), ("30片", "800g"), stage=(-8, 1), uptake=0.5),
        Category(
            "产后护理", 30, 0.8, 0.8, 69, ("防溢乳垫", "产妇卫生巾"), ("36片", "100片"), stage=(-1, 4), uptake=0.6
        ),
        Category("童装", 0, 2.5, 2.0, 79, ("连体衣", "套装", "外套"), ("73码", "90码", "110码"), 0.3, 10),
        Category("童鞋", 0, 1.5, 1.0, 99, ("学步鞋", "运动鞋"), ("13码", "15码")),
        Category("玩具", 0, 2.5, 1.8, 69, ("早教玩具", "积木", "毛绒玩具"), ("1件", "1套"), 0.4, 6),
        Category("绘本", 0, 1.5, 1.2, 39, ("布书", "绘本", "点读"), ("1册", "10册")),
        Category("出行用品", 0, 0.6, 0.8, 499, ("推车", "安全座椅", "背带"), ("1台", "1件")),
    ),
    products=1200,
    brands=60,
    zipf=0.95,
    launched=0.08,
    shelf=0,
    delisted=0.05,
    novelty=1.2,
    trial=0.02,
    stock_outs=0.8,
    promoted=0.1,
    joined=0.5,
    visits=0.11,
    visit_shape=2.0,
    regularity=1.4,
    drift=0.4,
    trips=0.7,
    least=0,
    impulses=0.6,
    impulse_shape=0.8,
    needs=3,
    need_shape=5.0,
    exploration=0.12,
    adopted=0.3,
    hazard=0.0012,
    hazard_shape=0.7,
    children=0.94,
    returns=0.012,
    online=0.7,
    views=2.5,
    campaign_every=42,
    contacted=0.3,
    held_out=0.2,
    effect=0.08,
)
