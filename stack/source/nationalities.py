"""The nationalities of the source API, each with its Faker locale, identity number and post code.

`REAL` are the 21 of randomuser.me 1.4, with its names for identity numbers.  `EXTRA` are ours, and add scripts that
the real API does not have.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Nationality:
    """One nationality.

    Attributes:
        code: two letters, the user's `nat`.
        country: `location.country`, in English as in the real API.
        locale: Faker locale of names, streets, cities and phone numbers.
        id_name: `id.name`; empty if there is no identity number, and `id.value` is then null.
        id_pattern: pattern of `id.value`: `#` becomes a digit, `?` a capital letter.
        post_code: lowest and highest number; None for text in the form of the locale.
        states: replace the locale's if Faker has none, or those of another country.
        cities: the same for cities.
        titles: used besides Mr, Mrs, Ms and Miss: (male, female, female).
    """

    code: str
    country: str
    locale: str
    id_name: str = ""
    id_pattern: str = ""
    post_code: tuple[int, int] | None = (10_000, 99_999)
    states: tuple[str, ...] = ()
    cities: tuple[str, ...] = ()
    titles: tuple[str, ...] = ()


_FRENCH = ("Monsieur", "Madame", "Mademoiselle")

REAL = (
    Nationality("AU", "Australia", "en_AU", "TFN", "#########", (200, 9_999)),
    Nationality("BR", "Brazil", "pt_BR", "CPF", "###.###.###-##"),
    Nationality("CA", "Canada", "en_CA", "SIN", "#########", None),
    Nationality("CH", "Switzerland", "fr_CH", "AVS", "756.####.####.##", (1_000, 9_999), titles=_FRENCH),
    Nationality("DE", "Germany", "de_DE", "SVNR", "## ###### ? ###"),
    Nationality("DK", "Denmark", "da_DK", "CPR", "######-####"),
    Nationality("ES", "Spain", "es_ES", "DNI", "########-?"),
    Nationality("FI", "Finland", "fi_FI", "HETU", "######-####"),
    Nationality("FR", "France", "fr_FR", "INSEE", "############# ##", titles=_FRENCH),
    Nationality("GB", "United Kingdom", "en_GB", "NINO", "?? ## ## ## ?", None),
    Nationality(
        "IE",
        "Ireland",
        "en_IE",
        "PPS",
        "#######?",
        cities=(
            "Athlone",
            "Cork",
            "Drogheda",
            "Dublin",
            "Dún Laoghaire",
            "Ennis",
            "Galway",
            "Limerick",
            "Sligo",
            "Tralee",
        ),
    ),
    Nationality("IN", "India", "hi_IN", "UIDAI", "############"),
    Nationality("IR", "Iran", "fa_IR"),
    Nationality("MX", "Mexico", "es_MX", "NSS", "## ## ## #### #"),
    Nationality("NL", "Netherlands", "nl_NL", "BSN", "########", None),
    Nationality(
        "NO",
        "Norway",
        "no_NO",
        "FN",
        "###########",
        None,
        states=(
            "Agder",
            "Innlandet",
            "Møre og Romsdal",
            "Nordland",
            "Oslo",
            "Rogaland",
            "Troms",
            "Trøndelag",
            "Vestland",
        ),
    ),
    Nationality(
        "NZ",
        "New Zealand",
        "en_NZ",
        states=(
            "Auckland",
            "Canterbury",
            "Hawke's Bay",
            "Manawatū-Whanganui",
            "Northland",
            "Otago",
            "Waikato",
            "Wellington",
        ),
    ),
    Nationality(
        "RS",
        "Serbia",
        "hr_HR",
        "SID",
        "#########",
        states=(
            "Belgrade",
            "Central Banat",
            "Kolubara",
            "Mačva",
            "Nišava",
            "Raška",
            "South Bačka",
            "Šumadija",
        ),
        cities=("Beograd", "Čačak", "Kragujevac", "Niš", "Novi Sad", "Šabac", "Subotica", "Užice", "Vršac"),
    ),
    Nationality(
        "TR",
        "Turkey",
        "tr_TR",
        states=(
            "Ankara",
            "Bursa",
            "Çanakkale",
            "Diyarbakır",
            "Eskişehir",
            "Iğdır",
            "İzmir",
            "Kırşehir",
            "Muğla",
            "Şanlıurfa",
        ),
        cities=("Bozüyük", "Çorlu", "Düzce", "Gölcük", "İnegöl", "Kuşadası", "Ödemiş", "Söke", "Şile", "Yalova"),
    ),
    Nationality("UA", "Ukraine", "uk_UA"),
    Nationality("US", "United States", "en_US", "SSN", "###-##-####"),
)

EXTRA = (
    Nationality("AM", "Armenia", "hy_AM", post_code=None),
    Nationality("BD", "Bangladesh", "bn_BD", post_code=None),
    Nationality("CN", "China", "zh_CN", post_code=None),
    Nationality("DZ", "Algeria", "ar_DZ", post_code=None),
    Nationality("GE", "Georgia", "ka_GE", post_code=None, states=("აჭარა", "გურია", "იმერეთი", "კახეთი", "რაჭა")),
    Nationality("GR", "Greece", "el_GR", post_code=None),
    Nationality("IL", "Israel", "he_IL", post_code=None, states=("המרכז", "הצפון", "הדרום", "חיפה", "ירושלים")),
    Nationality("JP", "Japan", "ja_JP", post_code=None),
    Nationality("KR", "South Korea", "ko_KR", post_code=None),
    Nationality("NP", "Nepal", "ne_NP", post_code=None),
    Nationality("RU", "Russia", "ru_RU", post_code=None),
    Nationality("TH", "Thailand", "th_TH", post_code=None),
    Nationality("TW", "Taiwan", "zh_TW", post_code=None, states=("臺北市", "新北市", "桃園市", "臺中市", "高雄市")),
)

BY_CODE = {nationality.code: nationality for nationality in (*REAL, *EXTRA)}

# Offset and description as the real API pairs them (1.2 to 1.4); "0:00" has no sign there.
TIMEZONES = (
    ("-12:00", "Eniwetok, Kwajalein"),
    ("-11:00", "Midway Island, Samoa"),
    ("-10:00", "Hawaii"),
    ("-9:00", "Alaska"),
    ("-8:00", "Pacific Time (US & Canada)"),
    ("-7:00", "Mountain Time (US & Canada)"),
    ("-6:00", "Central Time (US & Canada), Mexico City"),
    ("-5:00", "Eastern Time (US & Canada), Bogota, Lima"),
    ("-4:00", "Atlantic Time (Canada), Caracas, La Paz"),
    ("-3:30", "Newfoundland"),
    ("-3:00", "Brazil, Buenos Aires, Georgetown"),
    ("-2:00", "Mid-Atlantic"),
    ("-1:00", "Azores, Cape Verde Islands"),
    ("0:00", "Western Europe Time, London, Lisbon, Casablanca"),
    ("+1:00", "Brussels, Copenhagen, Madrid, Paris"),
    ("+2:00", "Kaliningrad, South Africa"),
    ("+3:00", "Baghdad, Riyadh, Moscow, St. Petersburg"),
    ("+3:30", "Tehran"),
    ("+4:00", "Abu Dhabi, Muscat, Baku, Tbilisi"),
    ("+4:30", "Kabul"),
    ("+5:00", "Ekaterinburg, Islamabad, Karachi, Tashkent"),
    ("+5:30", "Bombay, Calcutta, Madras, New Delhi"),
    ("+5:45", "Kathmandu"),
    ("+6:00", "Almaty, Dhaka, Colombo"),
    ("+7:00", "Bangkok, Hanoi, Jakarta"),
    ("+8:00", "Beijing, Perth, Singapore, Hong Kong"),
    ("+9:00", "Tokyo, Seoul, Osaka, Sapporo, Yakutsk"),
    ("+9:30", "Adelaide, Darwin"),
    ("+10:00", "Eastern Australia, Guam, Vladivostok"),
    ("+11:00", "Magadan, Solomon Islands, New Caledonia"),
)
