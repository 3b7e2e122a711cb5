"""Names of streets, subdivisions and neighborhoods. A street keeps its name across town: the position makes it."""

# fmt: off
_WORDS = (
    "Cottonwood", "Juniper", "Riverside", "Cascade", "Vineyard", "Orchard", "Meadow", "Prospect", "Willow", "Alder",
    "Sagebrush", "Quail", "Larkspur", "Chestnut", "Lincoln", "Garfield", "Hawthorn", "Pioneer", "Ferry", "Depot",
    "Granite", "Basalt", "Heron", "Osprey", "Falcon", "Meadowlark", "Yarrow", "Lupine", "Clover", "Sunset",
    "Horizon", "Summit", "Canyon", "Bluff", "Creekside", "Rimrock", "Badger", "Coyote", "Antelope", "Mustang",
    "Homestead", "Heritage", "Harvest", "Apple", "Cherry", "Apricot", "Walnut", "Hazel", "Linden", "Sycamore",
    "Locust", "Hickory", "Dogwood", "Tamarack", "Ponderosa", "Hemlock", "Spruce", "Larch", "Jefferson", "Madison",
    "Monroe", "Jackson", "Harrison", "Fremont", "Whitman", "Okanogan", "Wenatchee", "Entiat", "Chelan", "Kittitas",
    "Yakima", "Palouse", "Umatilla", "Nisqually", "Tieton", "Naches", "Rainier", "Olympus", "Baker", "Adams",
    "Lava", "Obsidian", "Agate", "Jasper", "Garnet", "Opal", "Copper", "Silver", "Windmill", "Granary", "Mill",
    "Foundry", "Station", "Railroad", "Market", "Plaza", "Church", "School", "College", "Library", "Museum",
    "Armory",
)
_PLATS = (
    "Peña Addition", "Garden Tracts", "Löwen Heights", "Second Addition", "Château Vista", "Orchard Tracts",
    "Núñez Short Plat", "River Plat", "Søndre Estates", "Highlands", "Meadows", "Townsite", "Acre Tracts",
    "Crossing", "Village", "Park Homes", "Ridge", "Terrace", "Commons", "Landing",
)
# fmt: on
_SUFFIXES = ("St", "Ln", "Dr", "Way", "Pl", "Ter", "Loop")
_MAIN_SUFFIXES = ("Blvd", "Rd", "Pkwy", "Hwy")
_BAND = 165.0


def ordinal(number: int) -> str:
    """English ordinal: 1st, 2nd, 11th."""
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def street(runs_east: bool, position: float, edge: float, court: bool = False) -> str:
    """Name of the local street at a plan `position` (ft across its direction): streets east by word, north by number.

    `edge` is the plan coordinate (ft, negative) of the county's edge, where the count starts.
    """
    band = int((position - edge) // _BAND) + 1
    if runs_east:
        lap, word = divmod(band, len(_WORDS))
        return f"{_WORDS[word]} {'Ct' if court else _SUFFIXES[(lap + word) % len(_SUFFIXES)]}"
    return f"{ordinal(band)} {'Ct' if court else 'Ave'}"


def main_road(runs_east: bool, line: int) -> str:
    """Name of the arterial or collector on a line (any integer) of the section grid."""
    lap, word = divmod(2 * line + runs_east, len(_WORDS))
    return f"{_WORDS[-1 - word]} {_MAIN_SUFFIXES[(lap + word) % len(_MAIN_SUFFIXES)]}"


def plat(section: int) -> str:
    """Name of the subdivision that a section was platted as."""
    return f"{_WORDS[(section * 37) % len(_WORDS)]} {_PLATS[(section * 7) % len(_PLATS)]}"


def neighborhood(number: int) -> str:
    """Name of a neighborhood from its number."""
    lap, word = divmod(number * 29, len(_WORDS))
    place = ("Heights", "Park", "Flats", "District", "Bench", "Hill", "Bottoms")[(number + lap) % 7]
    return f"{_WORDS[word]} {place}"
