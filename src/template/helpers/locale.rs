//! What languages write in their own ways: numbers, currencies, dates, times from now. The facts are those of CLDR 48, as
//! `Intl` of Node 20 shows them.

use std::str::FromStr;

use fixed_decimal::Decimal;
use icu_locale_core::Locale as Tag;
use icu_plurals::{PluralCategory, PluralOperands, PluralRuleType, PluralRules, PluralRulesOptions};

/// Lists are texts with bars between their items.
pub struct Locale {
    pub tag: &'static str,
    /// What stands before decimals, between groups of digits and before less than nothing, and what is no number.
    pub signs: [&'static str; 4],
    /// How many digits stay in one group if they are all.
    pub ungrouped: usize,
    pub percent: &'static str,
    /// An amount, and one that is less than nothing.
    pub currency: [&'static str; 2],
    /// Symbols of currencies, behind their codes, that are not those of [`SYMBOLS`].
    currencies: &'static str,
    /// Names in dates: long and short; and those that stand alone, if they are others.
    months: [&'static str; 4],
    weekdays: [&'static str; 4],
    /// Patterns by [`DatePattern`].
    dates: &'static str,
    /// Whether there are 12 hours, twice a day.
    pub has_12_hours: bool,
    /// Patterns by [`TimePattern`].
    times: &'static str,
    /// A date (1) and a time (0), by [`Joint`].
    joints: &'static str,
    pub day_periods: [&'static str; 2],
    /// The long name of UTC.
    pub utc: &'static str,
    /// What stands before the offset of a time zone, for less, and between hours and minutes; and none.
    pub gmt: [&'static str; 4],
    /// Short names of time zones, by the names in the database of time zones.
    zones: &'static str,
    /// Past and future of each of [`UNITS`], by category; the last form is for all others.
    relative: &'static str,
    /// Now; then from two days ago to two days ahead; then months and years from the last to the next.
    words: &'static str,
}

/// Where patterns of dates are in their list.
pub struct DatePattern;

impl DatePattern {
    /// Those with a month: 6 for each way to write it, which is a number, short or long.
    pub fn with_month(way: usize, has_year: bool, has_day: bool, has_weekday: bool) -> usize {
        let shape = match (has_year, has_day, has_weekday) {
            (false, false, false) => 0,
            (true, false, false) => 1,
            (false, true, false) => 2,
            (true, true, false) => 3,
            (false, _, true) => 4,
            (true, _, true) => 5,
        };
        way * 6 + shape
    }

    pub const YEAR: usize = 18;
    pub const DAY: usize = 19;
    pub const WEEKDAY: usize = 20;
    pub const WEEKDAY_AND_DAY: usize = 21;

    /// The four lengths: short, medium, long, full.
    pub fn of_length(length: usize) -> usize {
        22 + length
    }
}

/// Where patterns of times are in their list.
pub struct TimePattern;

impl TimePattern {
    /// Hours, with minutes, and with seconds too.
    pub fn with_hour(has_12_hours: bool, shape: usize) -> usize {
        shape + if has_12_hours { 0 } else { 3 }
    }

    pub const MINUTE_AND_SECOND: usize = 6;
    pub const LONG: usize = 7;
    pub const FULL: usize = 8;
    pub const WITH_ZONE: usize = 9;
}

/// How a date and a time are put together.
pub struct Joint;

impl Joint {
    pub const WEEKDAY_AND_LONG: usize = 3;
    pub const WEEKDAY: usize = 4;

    /// By how the month is written.
    pub fn of_month(way: usize) -> usize {
        way
    }

    /// The four lengths of the date.
    pub fn of_length(length: usize) -> usize {
        5 + length
    }
}

pub const UNITS: [&str; 6] = ["second", "minute", "hour", "day", "month", "year"];

/// The locale of a tag: the same, else one of its language.
pub fn find(tag: &str) -> Option<&'static Locale> {
    let tag = tag.replace('_', "-");
    let language = match language_of(&tag) {
        "no" | "nn" | "NO" | "NN" => "nb",
        language => language,
    };
    let is_british =
        ["en-AU", "en-IE", "en-IN", "en-NZ", "en-SG", "en-ZA"].iter().any(|it| tag.eq_ignore_ascii_case(it));
    let tag = if is_british { "en-GB" } else { tag.as_str() };
    let whole = LOCALES.iter().find(|locale| locale.tag.eq_ignore_ascii_case(tag));
    whole.or_else(|| LOCALES.iter().find(|locale| language_of(locale.tag).eq_ignore_ascii_case(language)))
}

fn language_of(tag: &str) -> &str {
    tag.split('-').next().unwrap_or_default()
}

/// The locale of those that ask for none that is known.
pub fn american() -> &'static Locale {
    &LOCALES[0]
}

/// The category of a number, such as `one`, in the language of a tag.
pub fn category(tag: &str, number: f64, kind: PluralRuleType) -> &'static str {
    let tag = tag.replace('_', "-");
    let is_language = (2..=3).contains(&language_of(&tag).len());
    let tag = Tag::from_str(&tag).ok().filter(|_| is_language);
    let options = PluralRulesOptions::default().with_type(kind);
    let rules = PluralRules::try_new(tag.unwrap_or(icu_locale_core::locale!("en")).into(), options);
    let operands = decimal(number).map(|decimal| PluralOperands::from(&decimal));
    match (rules, operands) {
        (Ok(rules), Some(operands)) => name(rules.category_for(operands)),
        _ => "other",
    }
}

fn name(category: PluralCategory) -> &'static str {
    match category {
        PluralCategory::Zero => "zero",
        PluralCategory::One => "one",
        PluralCategory::Two => "two",
        PluralCategory::Few => "few",
        PluralCategory::Many => "many",
        PluralCategory::Other => "other",
    }
}

/// The shortest decimal number that is this one, without its sign.
pub fn decimal(number: f64) -> Option<Decimal> {
    if number.is_finite() { Decimal::from_str(&format!("{:e}", number.abs())).ok() } else { None }
}

/// The item of a list with bars.
fn item(list: &'static str, place: usize) -> &'static str {
    list.split('|').nth(place).unwrap_or_default()
}

/// What stands behind a name in a list with bars.
fn behind(list: &'static str, name: &str) -> Option<&'static str> {
    list.split('|').find_map(|item| item.strip_prefix(name))
}

impl Locale {
    /// The symbol of a currency; its code if it has none.
    pub fn symbol<'c>(&self, code: &'c str) -> &'c str {
        behind(self.currencies, code).or_else(|| behind(SYMBOLS, code)).unwrap_or(code)
    }

    pub fn date_pattern(&self, place: usize) -> &'static str {
        item(self.dates, place)
    }

    pub fn time_pattern(&self, place: usize) -> &'static str {
        item(self.times, place)
    }

    pub fn joint(&self, place: usize) -> &'static str {
        item(self.joints, place)
    }

    /// The name of a month, the first of which is 0.
    pub fn month(&self, place: usize, is_long: bool, is_alone: bool) -> &'static str {
        named(&self.months, place, is_long, is_alone)
    }

    /// The name of a weekday, the first of which is Sunday and 0.
    pub fn weekday(&self, place: usize, is_long: bool, is_alone: bool) -> &'static str {
        named(&self.weekdays, place, is_long, is_alone)
    }

    /// The short name of a time zone that is used there.
    pub fn zone(&self, abbreviation: &str) -> Option<&'static str> {
        behind(self.zones, &format!("{abbreviation}="))
    }

    /// How so many units ago or ahead are written, with `#` for the number.
    pub fn relative(&self, unit: usize, is_past: bool, category: &str) -> &'static str {
        let forms = item(self.relative, unit * 2 + usize::from(!is_past));
        let prefix = format!("{category}=");
        let form = forms.split('~').find_map(|form| form.strip_prefix(prefix.as_str()));
        form.or(forms.rsplit('~').next()).unwrap_or_default()
    }

    /// The word for a time that is near, such as tomorrow, if there is one.
    pub fn word(&self, unit: usize, count: i64) -> Option<&'static str> {
        let place = match (unit, count) {
            (0, 0) => 0,
            (3, -2..=2) => 3 + count,
            (4, -1..=1) => 7 + count,
            (5, -1..=1) => 10 + count,
            _ => return None,
        };
        usize::try_from(place).ok().map(|place| item(self.words, place)).filter(|word| !word.is_empty())
    }
}

fn named(lists: &[&'static str; 4], place: usize, is_long: bool, is_alone: bool) -> &'static str {
    let [long, short, long_alone, short_alone] = lists.map(|list| item(list, place));
    let (inside, alone) = if is_long { (long, long_alone) } else { (short, short_alone) };
    match (if is_alone { alone } else { inside }, if is_alone { inside } else { alone }) {
        ("", other) => other,
        (name, _) => name,
    }
}

/// How many decimals a currency has.
pub fn minor_digits(code: &str) -> i16 {
    match code {
        "BIF" | "CLP" | "DJF" | "GNF" | "ISK" | "JPY" | "KMF" | "KRW" | "PYG" | "RWF" | "UGX" | "VND" | "VUV"
        | "XAF" | "XOF" | "XPF" => 0,
        "BHD" | "IQD" | "JOD" | "KWD" | "LYD" | "OMR" | "TND" => 3,
        _ => 2,
    }
}

/// The symbol of a currency that does not tell countries apart; its code if it has none.
pub fn narrow_symbol(code: &str) -> &str {
    behind(NARROW, code).unwrap_or(code)
}

/// Symbols of currencies, those of en-US, where they are not the code itself.
pub const SYMBOLS: &str = "USD$|EUR€|GBP£|JPY¥|CNYCN¥|INR₹|KRW₩|BRLR$|CADCA$|AUDA$|NZDNZ$|MXNMX$|HKDHK$|TWDNT$|ILS₪|\
     VND₫|PHP₱|XAFFCFA|XOFF\u{202f}CFA|XPFCFPF";
/// Symbols that do not tell countries apart.
pub const NARROW: &str = "USD$|EUR€|GBP£|JPY¥|CNY¥|INR₹|KRW₩|BRLR$|CAD$|AUD$|NZD$|MXN$|HKD$|TWD$|ILS₪|VND₫|SEKkr|\
     NOKkr|DKKkr|PLNzł|CZKKč|HUFFt|RUB₽|TRY₺|ZARR|SGD$|THB฿|PHP₱|IDRRp|MYRRM|EGPE£|UAH₴|RONlei|\
     XAFFCFA|XOFF\u{202f}CFA|XPFCFPF|KZT₸|NGN₦|ARS$|CLP$|COP$";

static LOCALES: [Locale; 19] = [
    Locale {
        tag: "en-US",
        signs: [".", ",", "-", "NaN"],
        ungrouped: 3,
        percent: "#%",
        currency: ["¤#", "-¤#"],
        currencies: "",
        months: [
            "January|February|March|April|May|June|July|August|September|October|November|December",
            "Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec",
            "",
            "",
        ],
        weekdays: ["Sunday|Monday|Tuesday|Wednesday|Thursday|Friday|Saturday", "Sun|Mon|Tue|Wed|Thu|Fri|Sat", "", ""],
        dates: "M|M/y|M/d|M/d/y|E, M/d|E, M/d/y|MMM|MMM y|MMM d|MMM d, y|E, MMM d|E, MMM d, y|MMMM|\
             MMMM y|MMMM d|MMMM d, y|EEEE, MMMM d|EEEE, MMMM d, y|y|d|cccc|d EEEE|M/d/yy|MMM d, y|\
             MMMM d, y|EEEE, MMMM d, y",
        has_12_hours: true,
        times: "h a|h:mm a|h:mm:ss a|HH|HH:mm|HH:mm:ss|mm:ss|h:mm:ss a z|h:mm:ss a z|h:mm a z",
        joints: "1, 0|1, 0|1 'at' 0|1 'at' 0|1 0|1, 0|1, 0|1 'at' 0|1 'at' 0",
        day_periods: ["AM", "PM"],
        utc: "Coordinated Universal Time",
        gmt: ["GMT", "-", ":", "GMT"],
        zones: "EST=EST|EDT=EDT|CST=CST|CDT=CDT|MST=MST|MDT=MDT|PST=PST|PDT=PDT|AKST=AKST|AKDT=AKDT|\
             HST=HST",
        relative: "one=# second ago~# seconds ago|one=in # second~in # seconds|\
             one=# minute ago~# minutes ago|one=in # minute~in # minutes|one=# hour ago~# hours ago|\
             one=in # hour~in # hours|one=# day ago~# days ago|one=in # day~in # days|\
             one=# month ago~# months ago|one=in # month~in # months|one=# year ago~# years ago|\
             one=in # year~in # years",
        words: "now||yesterday|today|tomorrow||last month|this month|next month|last year|this year|\
             next year",
    },
    Locale {
        tag: "en-GB",
        signs: [".", ",", "-", "NaN"],
        ungrouped: 3,
        percent: "#%",
        currency: ["¤#", "-¤#"],
        currencies: "USDUS$|JPYJP¥",
        months: [
            "January|February|March|April|May|June|July|August|September|October|November|December",
            "Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sept|Oct|Nov|Dec",
            "",
            "",
        ],
        weekdays: ["Sunday|Monday|Tuesday|Wednesday|Thursday|Friday|Saturday", "Sun|Mon|Tue|Wed|Thu|Fri|Sat", "", ""],
        dates: "M|MM/y|dd/MM|dd/MM/y|E dd/MM|E, dd/MM/y|MMM|MMM y|d MMM|d MMM y|E d MMM|E, d MMM y|MMMM|\
             MMMM y|d MMMM|d MMMM y|EEEE d MMMM|EEEE, d MMMM y|y|d|cccc|EEEE d|dd/MM/y|d MMM y|\
             d MMMM y|EEEE, d MMMM y",
        has_12_hours: false,
        times: "h a|h:mm a|h:mm:ss a|HH|HH:mm|HH:mm:ss|mm:ss|HH:mm:ss z|HH:mm:ss z|HH:mm z",
        joints: "1, 0|1, 0|1 'at' 0|1 'at' 0|1 0|1, 0|1, 0|1 'at' 0|1 'at' 0",
        day_periods: ["am", "pm"],
        utc: "Coordinated Universal Time",
        gmt: ["GMT", "-", ":", "GMT"],
        zones: "CET=CET|CEST=CEST|EET=EET|EEST=EEST|WET=WET|WEST=WEST|BST=BST",
        relative: "one=# second ago~# seconds ago|one=in # second~in # seconds|\
             one=# minute ago~# minutes ago|one=in # minute~in # minutes|one=# hour ago~# hours ago|\
             one=in # hour~in # hours|one=# day ago~# days ago|one=in # day~in # days|\
             one=# month ago~# months ago|one=in # month~in # months|one=# year ago~# years ago|\
             one=in # year~in # years",
        words: "now||yesterday|today|tomorrow||last month|this month|next month|last year|this year|\
             next year",
    },
    Locale {
        tag: "de",
        signs: [",", ".", "-", "NaN"],
        ungrouped: 3,
        percent: "#\u{a0}%",
        currency: ["#\u{a0}¤", "-#\u{a0}¤"],
        currencies: "AUDAU$|THB฿|PHPPHP",
        months: [
            "Januar|Februar|März|April|Mai|Juni|Juli|August|September|Oktober|November|Dezember",
            "Jan.|Feb.|März|Apr.|Mai|Juni|Juli|Aug.|Sept.|Okt.|Nov.|Dez.",
            "",
            "Jan|Feb|Mär|Apr|Mai|Jun|Jul|Aug|Sep|Okt|Nov|Dez",
        ],
        weekdays: [
            "Sonntag|Montag|Dienstag|Mittwoch|Donnerstag|Freitag|Samstag",
            "So.|Mo.|Di.|Mi.|Do.|Fr.|Sa.",
            "",
            "So|Mo|Di|Mi|Do|Fr|Sa",
        ],
        dates: "M|M/y|d.M.|d.M.y|E, d.M.|E, d.M.y|LLL|MMM y|d. MMM|d. MMM y|E, d. MMM|E, d. MMM y|MMMM|\
             MMMM y|d. MMMM|d. MMMM y|EEEE, d. MMMM|EEEE, d. MMMM y|y|d|cccc|EEEE, d.|dd.MM.yy|\
             dd.MM.y|d. MMMM y|EEEE, d. MMMM y",
        has_12_hours: false,
        times: "h a|h:mm a|h:mm:ss a|HH 'Uhr'|HH:mm|HH:mm:ss|mm:ss|HH:mm:ss z|HH:mm:ss z|HH:mm z",
        joints: "1, 0|1, 0|1 'um' 0|1 'um' 0|1, 0|1, 0|1, 0|1 'um' 0|1 'um' 0",
        day_periods: ["AM", "PM"],
        utc: "Koordinierte Weltzeit",
        gmt: ["GMT", "-", ":", "GMT+0"],
        zones: "CET=MEZ|CEST=MESZ|EET=OEZ|EEST=OESZ|WET=WEZ|WEST=WESZ",
        relative: "one=vor # Sekunde~vor # Sekunden|one=in # Sekunde~in # Sekunden|\
             one=vor # Minute~vor # Minuten|one=in # Minute~in # Minuten|\
             one=vor # Stunde~vor # Stunden|one=in # Stunde~in # Stunden|one=vor # Tag~vor # Tagen|\
             one=in # Tag~in # Tagen|one=vor # Monat~vor # Monaten|one=in # Monat~in # Monaten|\
             one=vor # Jahr~vor # Jahren|one=in # Jahr~in # Jahren",
        words: "jetzt|vorgestern|gestern|heute|morgen|übermorgen|letzten Monat|diesen Monat|\
             nächsten Monat|letztes Jahr|dieses Jahr|nächstes Jahr",
    },
    Locale {
        tag: "fr",
        signs: [",", "\u{202f}", "-", "NaN"],
        ungrouped: 3,
        percent: "#\u{a0}%",
        currency: ["#\u{a0}¤", "-#\u{a0}¤"],
        currencies: "USD$US|GBP£GB|JPYJPY|CNYCNY|CAD$CA|AUD$AU|NZD$NZ|MXN$MX|HKDHKD|TWDTWD|SGD$SG|PHPPHP|\
             XPFFCFP|ARS$AR|CLP$CL|COP$CO",
        months: [
            "janvier|février|mars|avril|mai|juin|juillet|août|septembre|octobre|novembre|décembre",
            "janv.|févr.|mars|avr.|mai|juin|juil.|août|sept.|oct.|nov.|déc.",
            "",
            "",
        ],
        weekdays: ["dimanche|lundi|mardi|mercredi|jeudi|vendredi|samedi", "dim.|lun.|mar.|mer.|jeu.|ven.|sam.", "", ""],
        dates: "M|MM/y|dd/MM|dd/MM/y|E dd/MM|E dd/MM/y|MMM|MMM y|d MMM|d MMM y|E d MMM|E d MMM y|MMMM|\
             MMMM y|d MMMM|d MMMM y|EEEE d MMMM|EEEE d MMMM y|y|d|cccc|EEEE d|dd/MM/y|d MMM y|\
             d MMMM y|EEEE d MMMM y",
        has_12_hours: false,
        times: "h a|h:mm a|h:mm:ss a|HH 'h'|HH:mm|HH:mm:ss|mm:ss|HH:mm:ss z|HH:mm:ss z|HH:mm z",
        joints: "1 0|1, 0|1 à 0|1 à 0|1 0|1 0|1, 0|1 à 0|1 à 0",
        day_periods: ["AM", "PM"],
        utc: "temps universel coordonné",
        gmt: ["UTC", "−", ":", "UTC+0"],
        zones: "",
        relative: "one=il y a # seconde~il y a # secondes|one=dans # seconde~dans # secondes|\
             one=il y a # minute~il y a # minutes|one=dans # minute~dans # minutes|\
             one=il y a # heure~il y a # heures|one=dans # heure~dans # heures|\
             one=il y a # jour~il y a # jours|one=dans # jour~dans # jours|il y a # mois|dans # mois|\
             one=il y a # an~il y a # ans|one=dans # an~dans # ans",
        words: "maintenant|avant-hier|hier|aujourd’hui|demain|après-demain|le mois dernier|ce mois-ci|\
             le mois prochain|l’année dernière|cette année|l’année prochaine",
    },
    Locale {
        tag: "es",
        signs: [",", ".", "-", "NaN"],
        ungrouped: 4,
        percent: "#\u{a0}%",
        currency: ["#\u{a0}¤", "-#\u{a0}¤"],
        currencies: "USDUS$|GBPGBP|JPYJPY|CNYCNY|INRINR|KRWKRW|BRLBRL|CADCAD|AUDAUD|NZDNZD|MXNMXN|HKDHKD|\
             TWDTWD|ILSILS|THB฿|PHPPHP|XAFXAF|XOFXOF",
        months: [
            "enero|febrero|marzo|abril|mayo|junio|julio|agosto|septiembre|octubre|noviembre|diciembre",
            "ene|feb|mar|abr|may|jun|jul|ago|sept|oct|nov|dic",
            "",
            "",
        ],
        weekdays: ["domingo|lunes|martes|miércoles|jueves|viernes|sábado", "dom|lun|mar|mié|jue|vie|sáb", "", ""],
        dates: "M|M/y|d/M|d/M/y|E, d/M|E, d/M/y|MMM|MMM y|d MMM|d MMM y|E, d MMM|E, d MMM y|MMMM|\
             MMMM 'de' y|d 'de' MMMM|d 'de' MMMM 'de' y|EEEE, d 'de' MMMM|EEEE, d 'de' MMMM 'de' y|y|\
             d|cccc|EEEE d|d/M/yy|d MMM y|d 'de' MMMM 'de' y|EEEE, d 'de' MMMM 'de' y",
        has_12_hours: false,
        times: "h a|h:mm a|h:mm:ss a|H|H:mm|H:mm:ss|mm:ss|H:mm:ss z|H:mm:ss (z)|H:mm z",
        joints: "1, 0|1, 0|1 'a las' 0|1, 0|1, 0|1, 0|1, 0|1 'a las' 0|1, 0",
        day_periods: ["a. m.", "p. m."],
        utc: "tiempo universal coordinado",
        gmt: ["GMT", "-", ":", "GMT"],
        zones: "CET=CET|CEST=CEST|EET=EET|EEST=EEST|WET=WET|WEST=WEST",
        relative: "one=hace # segundo~hace # segundos|one=dentro de # segundo~dentro de # segundos|\
             one=hace # minuto~hace # minutos|one=dentro de # minuto~dentro de # minutos|\
             one=hace # hora~hace # horas|one=dentro de # hora~dentro de # horas|\
             one=hace # día~hace # días|one=dentro de # día~dentro de # días|\
             one=hace # mes~hace # meses|one=dentro de # mes~dentro de # meses|\
             one=hace # año~hace # años|one=dentro de # año~dentro de # años",
        words: "ahora|anteayer|ayer|hoy|mañana|pasado mañana|el mes pasado|este mes|el próximo mes|\
             el año pasado|este año|el próximo año",
    },
    Locale {
        tag: "it",
        signs: [",", ".", "-", "NaN"],
        ungrouped: 4,
        percent: "#%",
        currency: ["#\u{a0}¤", "-#\u{a0}¤"],
        currencies: "USDUSD|JPYJPY|INRINR|KRWKRW|BRLBRL|MXNMXN|HKDHKD|TWDTWD|VNDVND|THB฿",
        months: [
            "gennaio|febbraio|marzo|aprile|maggio|giugno|luglio|agosto|settembre|ottobre|novembre|\
             dicembre",
            "gen|feb|mar|apr|mag|giu|lug|ago|set|ott|nov|dic",
            "",
            "",
        ],
        weekdays: ["domenica|lunedì|martedì|mercoledì|giovedì|venerdì|sabato", "dom|lun|mar|mer|gio|ven|sab", "", ""],
        dates: "M|MM/y|dd/MM|dd/MM/y|E dd/MM|E dd/MM/y|MMM|MMM y|d MMM|d MMM y|E d MMM|E d MMM y|MMMM|\
             MMMM y|d MMMM|d MMMM y|EEEE d MMMM|EEEE d MMMM y|y|d|cccc|EEEE d|dd/MM/yy|d MMM y|\
             d MMMM y|EEEE d MMMM y",
        has_12_hours: false,
        times: "h a|h:mm a|h:mm:ss a|H|HH:mm|HH:mm:ss|mm:ss|HH:mm:ss z|HH:mm:ss z|HH:mm z",
        joints: "1, 0|1, 0|1 'alle ore' 0|1 'alle ore' 0|1 0|1, 0|1, 0|1 'alle ore' 0|1 'alle ore' 0",
        day_periods: ["AM", "PM"],
        utc: "Tempo coordinato universale",
        gmt: ["GMT", "-", ":", "GMT+0"],
        zones: "CET=CET|CEST=CEST|EET=EET|EEST=EEST|WET=WET|WEST=WEST",
        relative: "one=# secondo fa~# secondi fa|one=tra # secondo~tra # secondi|\
             one=# minuto fa~# minuti fa|one=tra # minuto~tra # minuti|one=# ora fa~# ore fa|\
             one=tra # ora~tra # ore|one=# giorno fa~# giorni fa|one=tra # giorno~tra # giorni|\
             one=# mese fa~# mesi fa|one=tra # mese~tra # mesi|one=# anno fa~# anni fa|\
             one=tra # anno~tra # anni",
        words: "ora|l’altro ieri|ieri|oggi|domani|dopodomani|mese scorso|questo mese|mese prossimo|\
             anno scorso|quest’anno|anno prossimo",
    },
    Locale {
        tag: "pt",
        signs: [",", ".", "-", "NaN"],
        ungrouped: 3,
        percent: "#%",
        currency: ["¤\u{a0}#", "-¤\u{a0}#"],
        currencies: "USDUS$|JPYJP¥|AUDAU$|THB฿|PHPPHP",
        months: [
            "janeiro|fevereiro|março|abril|maio|junho|julho|agosto|setembro|outubro|novembro|dezembro",
            "jan.|fev.|mar.|abr.|mai.|jun.|jul.|ago.|set.|out.|nov.|dez.",
            "",
            "",
        ],
        weekdays: [
            "domingo|segunda-feira|terça-feira|quarta-feira|quinta-feira|sexta-feira|sábado",
            "dom.|seg.|ter.|qua.|qui.|sex.|sáb.",
            "",
            "",
        ],
        dates: "M|MM/y|dd/MM|dd/MM/y|E, dd/MM|E, dd/MM/y|MMM|MMM 'de' y|d 'de' MMM|d 'de' MMM 'de' y|\
             E, d 'de' MMM|E, d 'de' MMM 'de' y|MMMM|MMMM 'de' y|d 'de' MMMM|d 'de' MMMM 'de' y|\
             EEEE, d 'de' MMMM|EEEE, d 'de' MMMM 'de' y|y|d|cccc|EEEE, d|dd/MM/y|d 'de' MMM 'de' y|\
             d 'de' MMMM 'de' y|EEEE, d 'de' MMMM 'de' y",
        has_12_hours: false,
        times: "h a|h:mm a|h:mm:ss a|HH|HH:mm|HH:mm:ss|mm:ss|HH:mm:ss z|HH:mm:ss z|HH:mm z",
        joints: "1, 0|1, 0|1 à's' 0|1 à's' 0|1, 0|1, 0|1, 0|1 à's' 0|1 à's' 0",
        day_periods: ["AM", "PM"],
        utc: "Horário Universal Coordenado",
        gmt: ["GMT", "-", ":", "GMT+0"],
        zones: "",
        relative: "one=há # segundo~há # segundos|one=em # segundo~em # segundos|\
             one=há # minuto~há # minutos|one=em # minuto~em # minutos|one=há # hora~há # horas|\
             one=em # hora~em # horas|one=há # dia~há # dias|one=em # dia~em # dias|\
             one=há # mês~há # meses|one=em # mês~em # meses|one=há # ano~há # anos|\
             one=em # ano~em # anos",
        words: "agora|anteontem|ontem|hoje|amanhã|depois de amanhã|mês passado|este mês|próximo mês|\
             ano passado|este ano|próximo ano",
    },
    Locale {
        tag: "nl",
        signs: [",", ".", "-", "NaN"],
        ungrouped: 3,
        percent: "#%",
        currency: ["¤\u{a0}#", "¤\u{a0}-#"],
        currencies: "USDUS$|JPYJP¥|CADC$|AUDAU$|THB฿|PHPPHP|XPFXPF",
        months: [
            "januari|februari|maart|april|mei|juni|juli|augustus|september|oktober|november|december",
            "jan|feb|mrt|apr|mei|jun|jul|aug|sep|okt|nov|dec",
            "",
            "",
        ],
        weekdays: ["zondag|maandag|dinsdag|woensdag|donderdag|vrijdag|zaterdag", "zo|ma|di|wo|do|vr|za", "", ""],
        dates: "M|M-y|d-M|d-M-y|E d-M|E d-M-y|MMM|MMM y|d MMM|d MMM y|E d MMM|E d MMM y|MMMM|MMMM y|\
             d MMMM|d MMMM y|EEEE d MMMM|EEEE d MMMM y|y|d|cccc|EEEE d|dd-MM-y|d MMM y|d MMMM y|\
             EEEE d MMMM y",
        has_12_hours: false,
        times: "h a|h:mm a|h:mm:ss a|HH|HH:mm|HH:mm:ss|mm:ss|HH:mm:ss z|HH:mm:ss z|HH:mm z",
        joints: "1, 0|1, 0|1 'om' 0|1 'om' 0|1 0|1, 0|1, 0|1 'om' 0|1 'om' 0",
        day_periods: ["a.m.", "p.m."],
        utc: "gecoördineerde wereldtijd",
        gmt: ["GMT", "-", ":", "GMT"],
        zones: "EST=EST|EDT=EDT|CST=CST|CDT=CDT|MST=MST|MDT=MDT|PST=PST|PDT=PDT|AKST=AKST|AKDT=AKDT|\
             HST=HAST|CET=CET|CEST=CEST|EET=EET|EEST=EEST|WET=WET|WEST=WEST",
        relative: "one=# seconde geleden~# seconden geleden|one=over # seconde~over # seconden|\
             one=# minuut geleden~# minuten geleden|one=over # minuut~over # minuten|# uur geleden|\
             over # uur|one=# dag geleden~# dagen geleden|one=over # dag~over # dagen|\
             one=# maand geleden~# maanden geleden|one=over # maand~over # maanden|# jaar geleden|\
             over # jaar",
        words: "nu|eergisteren|gisteren|vandaag|morgen|overmorgen|vorige maand|deze maand|\
             volgende maand|vorig jaar|dit jaar|volgend jaar",
    },
    Locale {
        tag: "sv",
        signs: [",", "\u{a0}", "−", "NaN"],
        ungrouped: 3,
        percent: "#\u{a0}%",
        currency: ["#\u{a0}¤", "-#\u{a0}¤"],
        currencies: "USDUS$|GBPGBP|JPYJPY|CNYCNY|INRINR|KRWKRW|BRLBR$|AUDAUD|NZDNZD|HKDHKD|TWDTWD|VNDVND|\
             SEKkr|NOKNkr|DKKDkr|PHPPHP|EGPEG£",
        months: [
            "januari|februari|mars|april|maj|juni|juli|augusti|september|oktober|november|december",
            "jan.|feb.|mars|apr.|maj|juni|juli|aug.|sep.|okt.|nov.|dec.",
            "",
            "",
        ],
        weekdays: ["söndag|måndag|tisdag|onsdag|torsdag|fredag|lördag", "sön|mån|tis|ons|tors|fre|lör", "", ""],
        dates: "M|y-MM|d/M|y-MM-dd|E d/M|E, y-MM-dd|MMM|MMM y|d MMM|d MMM y|E d MMM|E d MMM y|MMMM|\
             MMMM y|d MMMM|d MMMM y|EEEE d MMMM|EEEE d MMMM y|y|d|cccc|EEEE d|y-MM-dd|d MMM y|\
             d MMMM y|EEEE d MMMM y",
        has_12_hours: false,
        times: "h a|h:mm a|h:mm:ss a|HH|HH:mm|HH:mm:ss|mm:ss|HH:mm:ss z|HH:mm:ss z|HH:mm z",
        joints: "1 0|1 0|1 'kl'. 0|1 'kl'. 0|1 0|1 0|1 0|1 'kl'. 0|1 'kl'. 0",
        day_periods: ["fm", "em"],
        utc: "koordinerad universell tid",
        gmt: ["GMT", "−", ":", "GMT"],
        zones: "CET=CET|CEST=CEST|EET=EET|EEST=EEST|WET=WET|WEST=WEST",
        relative: "one=för # sekund sedan~för # sekunder sedan|one=om # sekund~om # sekunder|\
             one=för # minut sedan~för # minuter sedan|one=om # minut~om # minuter|\
             one=för # timme sedan~för # timmar sedan|one=om # timme~om # timmar|\
             one=för # dag sedan~för # dagar sedan|one=om # dag~om # dagar|\
             one=för # månad sedan~för # månader sedan|one=om # månad~om # månader|för # år sedan|\
             om # år",
        words: "nu|i förrgår|i går|i dag|i morgon|i övermorgon|förra månaden|den här månaden|\
             nästa månad|förra året|i år|nästa år",
    },
    Locale {
        tag: "da",
        signs: [",", ".", "-", "NaN"],
        ungrouped: 3,
        percent: "#\u{a0}%",
        currency: ["#\u{a0}¤", "-#\u{a0}¤"],
        currencies: "USDUS$|JPYJP¥|AUDAU$|DKKkr.|THB฿|PHPPHP",
        months: [
            "januar|februar|marts|april|maj|juni|juli|august|september|oktober|november|december",
            "jan.|feb.|mar.|apr.|maj|jun.|jul.|aug.|sep.|okt.|nov.|dec.",
            "",
            "",
        ],
        weekdays: [
            "søndag|mandag|tirsdag|onsdag|torsdag|fredag|lørdag",
            "søn.|man.|tirs.|ons.|tors.|fre.|lør.",
            "",
            "",
        ],
        dates: "M|M.y|d.M|d.M.y|E d.M|E d.M.y|MMM|MMM y|d. MMM|d. MMM y|E d. MMM|E d. MMM y|MMMM|MMMM y|\
             d. MMMM|d. MMMM y|EEEE d. MMMM|EEEE 'den' d. MMMM y|y|d.|cccc|EEEE 'den' d.|dd.MM.y|\
             d. MMM y|d. MMMM y|EEEE 'den' d. MMMM y",
        has_12_hours: false,
        times: "h a|h.mm a|h.mm.ss a|HH|HH.mm|HH.mm.ss|mm.ss|HH.mm.ss z|HH.mm.ss z|HH.mm z",
        joints: "1, 0|1, 0|1 'kl'. 0|1 'kl'. 0|1 0|1, 0|1, 0|1 'kl'. 0|1 'kl'. 0",
        day_periods: ["AM", "PM"],
        utc: "Koordineret universaltid",
        gmt: ["GMT", "-", ".", "GMT+0"],
        zones: "CET=CET|CEST=CEST|EET=EET|EEST=EEST|WET=WET|WEST=WEST",
        relative: "one=for # sekund siden~for # sekunder siden|one=om # sekund~om # sekunder|\
             one=for # minut siden~for # minutter siden|one=om # minut~om # minutter|\
             one=for # time siden~for # timer siden|one=om # time~om # timer|\
             one=for # dag siden~for # dage siden|one=om # dag~om # dage|\
             one=for # måned siden~for # måneder siden|one=om # måned~om # måneder|for # år siden|\
             om # år",
        words: "nu|i forgårs|i går|i dag|i morgen|i overmorgen|sidste måned|denne måned|næste måned|\
             sidste år|i år|næste år",
    },
    Locale {
        tag: "nb",
        signs: [",", "\u{a0}", "−", "NaN"],
        ungrouped: 3,
        percent: "#\u{a0}%",
        currency: ["#\u{a0}¤", "-#\u{a0}¤"],
        currencies: "USDUSD|JPYJPY|CNYCNY|INRINR|KRWKRW|BRLBRL|CADCAD|AUDAUD|NZDNZD|MXNMXN|HKDHKD|TWDTWD|\
             ILSILS|VNDVND|NOKkr|PHPPHP|XAFXAF|XPFXPF",
        months: [
            "januar|februar|mars|april|mai|juni|juli|august|september|oktober|november|desember",
            "jan.|feb.|mars|apr.|mai|juni|juli|aug.|sep.|okt.|nov.|des.",
            "",
            "jan|feb|mar|apr|mai|jun|jul|aug|sep|okt|nov|des",
        ],
        weekdays: ["søndag|mandag|tirsdag|onsdag|torsdag|fredag|lørdag", "søn.|man.|tir.|ons.|tor.|fre.|lør.", "", ""],
        dates: "M.|M.y|d.M.|d.M.y|E d.M.|E d.M.y|LLL|MMM y|d. MMM|d. MMM y|E d. MMM|E d. MMM y|MMMM|\
             MMMM y|d. MMMM|d. MMMM y|EEEE d. MMMM|EEEE d. MMMM y|y|d.|cccc|EEEE d.|dd.MM.y|d. MMM y|\
             d. MMMM y|EEEE d. MMMM y",
        has_12_hours: false,
        times: "h a|h:mm a|h:mm:ss a|HH|HH:mm|HH:mm:ss|mm:ss|HH:mm:ss z|HH:mm:ss z|HH:mm z",
        joints: "1, 0|1, 0|1 'kl'. 0|1 'kl'. 0|1 'kl'. 0|1, 0|1, 0|1 'kl'. 0|1 'kl'. 0",
        day_periods: ["a.m.", "p.m."],
        utc: "koordinert universaltid",
        gmt: ["GMT", "-", ":", "GMT"],
        zones: "EST=EST|EDT=EDT|CST=CST|CDT=CDT|MST=MST|MDT=MDT|PST=PST|PDT=PDT|AKST=AKST|AKDT=AKDT|\
             HST=HAST|CET=CET|CEST=CEST|EET=EET|EEST=EEST|WET=WET|WEST=WEST",
        relative: "one=for # sekund siden~for # sekunder siden|one=om # sekund~om # sekunder|\
             one=for # minutt siden~for # minutter siden|one=om # minutt~om # minutter|\
             one=for # time siden~for # timer siden|one=om # time~om # timer|for # døgn siden|\
             om # døgn|one=for # måned siden~for # måneder siden|one=om # måned~om # måneder|\
             for # år siden|om # år",
        words: "nå|i forgårs|i går|i dag|i morgen|i overmorgen|forrige måned|denne måneden|neste måned|\
             i fjor|i år|neste år",
    },
    Locale {
        tag: "fi",
        signs: [",", "\u{a0}", "−", "epäluku"],
        ungrouped: 3,
        percent: "#\u{a0}%",
        currency: ["#\u{a0}¤", "-#\u{a0}¤"],
        currencies: "CNYCNY|INRINR|KRWKRW|BRLBRL|CADCAD|AUDAUD|NZDNZD|MXNMXN|HKDHKD|TWDTWD|ILSILS|VNDVND|\
             PHPPHP|XPFXPF",
        months: [
            "tammikuuta|helmikuuta|maaliskuuta|huhtikuuta|toukokuuta|kesäkuuta|heinäkuuta|elokuuta|\
             syyskuuta|lokakuuta|marraskuuta|joulukuuta",
            "",
            "tammikuu|helmikuu|maaliskuu|huhtikuu|toukokuu|kesäkuu|heinäkuu|elokuu|syyskuu|lokakuu|\
             marraskuu|joulukuu",
            "tammi|helmi|maalis|huhti|touko|kesä|heinä|elo|syys|loka|marras|joulu",
        ],
        weekdays: [
            "sunnuntaina|maanantaina|tiistaina|keskiviikkona|torstaina|perjantaina|lauantaina",
            "su|ma|ti|ke|to|pe|la",
            "sunnuntai|maanantai|tiistai|keskiviikko|torstai|perjantai|lauantai",
            "",
        ],
        dates: "M|M.y|d.M.|d.M.y|E d.M.|E d.M.y|LLL|LLL y|d.M.|d.M.y|E d.M.|E d.M.y|LLLL|LLLL y|d. MMMM|\
             d. MMMM y|cccc d. MMMM|EEEE d. MMMM y|y|d|cccc|EEEE d.|d.M.y|d.M.y|d. MMMM y|\
             cccc d. MMMM y",
        has_12_hours: false,
        times: "h a|h.mm a|h.mm.ss a|H|H.mm|H.mm.ss|m.ss|H.mm.ss z|H.mm.ss z|H.mm z",
        joints: "1 'klo' 0|1 'klo' 0|1 'klo' 0|1 'klo' 0|1 0|1 'klo' 0|1 'klo' 0|1 'klo' 0|1 'klo' 0",
        day_periods: ["ap.", "ip."],
        utc: "UTC-yleisaika",
        gmt: ["UTC", "-", ".", "UTC+0"],
        zones: "",
        relative: "one=# sekunti sitten~# sekuntia sitten|# sekunnin päästä|\
             one=# minuutti sitten~# minuuttia sitten|# minuutin päästä|\
             one=# tunti sitten~# tuntia sitten|# tunnin päästä|one=# päivä sitten~# päivää sitten|\
             # päivän päästä|one=# kuukausi sitten~# kuukautta sitten|# kuukauden päästä|\
             one=# vuosi sitten~# vuotta sitten|# vuoden päästä",
        words: "nyt|toissa päivänä|eilen|tänään|huomenna|ylihuomenna|viime kuussa|tässä kuussa|\
             ensi kuussa|viime vuonna|tänä vuonna|ensi vuonna",
    },
    Locale {
        tag: "pl",
        signs: [",", "\u{a0}", "-", "NaN"],
        ungrouped: 4,
        percent: "#%",
        currency: ["#\u{a0}¤", "-#\u{a0}¤"],
        currencies: "USDUSD|GBPGBP|JPYJPY|CNYCNY|INRINR|KRWKRW|CADCAD|AUDAUD|NZDNZD|MXNMXN|HKDHKD|TWDTWD|\
             ILSILS|VNDVND|PLNzł|PHPPHP",
        months: [
            "stycznia|lutego|marca|kwietnia|maja|czerwca|lipca|sierpnia|września|października|\
             listopada|grudnia",
            "sty|lut|mar|kwi|maj|cze|lip|sie|wrz|paź|lis|gru",
            "styczeń|luty|marzec|kwiecień|maj|czerwiec|lipiec|sierpień|wrzesień|październik|listopad|\
             grudzień",
            "",
        ],
        weekdays: [
            "niedziela|poniedziałek|wtorek|środa|czwartek|piątek|sobota",
            "niedz.|pon.|wt.|śr.|czw.|pt.|sob.",
            "",
            "",
        ],
        dates: "M|MM.y|d.MM|d.MM.y|E, d.MM|E, d.MM.y|MMM|MMM y|d MMM|d MMM y|E, d MMM|E, d MMM y|LLLL|\
             LLLL y|d MMMM|d MMMM y|EEEE, d MMMM|EEEE, d MMMM y|y|d|cccc|EEEE, d|d.MM.y|d MMM y|\
             d MMMM y|EEEE, d MMMM y",
        has_12_hours: false,
        times: "h a|h:mm a|h:mm:ss a|HH|HH:mm|HH:mm:ss|mm:ss|HH:mm:ss z|HH:mm:ss z|HH:mm z",
        joints: "1, 0|1, 0|1 0|1 0|1, 0|1, 0|1, 0|1 0|1 0",
        day_periods: ["AM", "PM"],
        utc: "uniwersalny czas koordynowany",
        gmt: ["GMT", "-", ":", "GMT+0"],
        zones: "CET=CET|CEST=CEST|EET=EET|EEST=EEST|WET=WET|WEST=WEST",
        relative: "many=# sekund temu~one=# sekundę temu~# sekundy temu|\
             many=za # sekund~one=za # sekundę~za # sekundy|\
             many=# minut temu~one=# minutę temu~# minuty temu|\
             many=za # minut~one=za # minutę~za # minuty|\
             many=# godzin temu~one=# godzinę temu~# godziny temu|\
             many=za # godzin~one=za # godzinę~za # godziny|\
             few=# dni temu~many=# dni temu~one=# dzień temu~# dnia temu|\
             few=za # dni~many=za # dni~one=za # dzień~za # dnia|\
             few=# miesiące temu~many=# miesięcy temu~one=# miesiąc temu~# miesiąca temu|\
             few=za # miesiące~many=za # miesięcy~one=za # miesiąc~za # miesiąca|\
             few=# lata temu~many=# lat temu~one=# rok temu~# roku temu|\
             few=za # lata~many=za # lat~one=za # rok~za # roku",
        words: "teraz|przedwczoraj|wczoraj|dzisiaj|jutro|pojutrze|w zeszłym miesiącu|w tym miesiącu|\
             w przyszłym miesiącu|w zeszłym roku|w tym roku|w przyszłym roku",
    },
    Locale {
        tag: "cs",
        signs: [",", "\u{a0}", "-", "NaN"],
        ungrouped: 3,
        percent: "#\u{a0}%",
        currency: ["#\u{a0}¤", "-#\u{a0}¤"],
        currencies: "USDUS$|JPYJP¥|INRINR|AUDAU$|ILSILS|VNDVND|CZKKč|PHPPHP",
        months: [
            "ledna|února|března|dubna|května|června|července|srpna|září|října|listopadu|prosince",
            "",
            "leden|únor|březen|duben|květen|červen|červenec|srpen|září|říjen|listopad|prosinec",
            "led|úno|bře|dub|kvě|čvn|čvc|srp|zář|říj|lis|pro",
        ],
        weekdays: ["neděle|pondělí|úterý|středa|čtvrtek|pátek|sobota", "ne|po|út|st|čt|pá|so", "", ""],
        dates: "M|M/y|d. M.|d. M. y|E d. M.|E d. M. y|LLL|LLLL y|d. M.|d. M. y|E d. M.|E d. M. y|LLLL|\
             LLLL y|d. MMMM|d. MMMM y|EEEE d. MMMM|EEEE d. MMMM y|y|d.|cccc|EEEE d.|dd.MM.yy|d. M. y|\
             d. MMMM y|EEEE d. MMMM y",
        has_12_hours: false,
        times: "h a|h:mm a|h:mm:ss a|H|H:mm|H:mm:ss|mm:ss|H:mm:ss z|H:mm:ss, z|H:mm z",
        joints: "1 0|1 0|1 'v' 0|1 'v' 0|1 0|1 0|1 0|1 'v' 0|1 'v' 0",
        day_periods: ["dop.", "odp."],
        utc: "koordinovaný světový čas",
        gmt: ["GMT", "-", ":", "GMT+0"],
        zones: "EST=EST|EDT=EDT|CST=CST|CDT=CDT|MST=MST|MDT=MDT|PST=PST|PDT=PDT|AKST=AKST|AKDT=AKDT|\
             CET=SEČ|CEST=SELČ",
        relative: "many=před # sekundy~one=před # sekundou~před # sekundami|\
             few=za # sekundy~many=za # sekundy~one=za # sekundu~za # sekund|\
             many=před # minuty~one=před # minutou~před # minutami|\
             few=za # minuty~many=za # minuty~one=za # minutu~za # minut|\
             many=před # hodiny~one=před # hodinou~před # hodinami|\
             few=za # hodiny~many=za # hodiny~one=za # hodinu~za # hodin|\
             many=před # dne~one=před # dnem~před # dny|\
             few=za # dny~many=za # dne~one=za # den~za # dní|\
             many=před # měsíce~one=před # měsícem~před # měsíci|\
             few=za # měsíce~many=za # měsíce~one=za # měsíc~za # měsíců|\
             many=před # roku~one=před # rokem~před # lety|\
             few=za # roky~many=za # roku~one=za # rok~za # let",
        words: "nyní|předevčírem|včera|dnes|zítra|pozítří|minulý měsíc|tento měsíc|příští měsíc|\
             minulý rok|tento rok|příští rok",
    },
    Locale {
        tag: "tr",
        signs: [",", ".", "-", "NaN"],
        ungrouped: 3,
        percent: "%#",
        currency: ["¤#", "-¤#"],
        currencies: "AUDAU$|TRY₺|THB฿|PHPPHP",
        months: [
            "Ocak|Şubat|Mart|Nisan|Mayıs|Haziran|Temmuz|Ağustos|Eylül|Ekim|Kasım|Aralık",
            "Oca|Şub|Mar|Nis|May|Haz|Tem|Ağu|Eyl|Eki|Kas|Ara",
            "",
            "",
        ],
        weekdays: ["Pazar|Pazartesi|Salı|Çarşamba|Perşembe|Cuma|Cumartesi", "Paz|Pzt|Sal|Çar|Per|Cum|Cmt", "", ""],
        dates: "M|MM/y|d/M|dd.MM.y|d/M E|d.M.y E|MMM|MMM y|d MMM|d MMM y|d MMM E|d MMM y E|MMMM|MMMM y|\
             d MMMM|d MMMM y|d MMMM EEEE|d MMMM y EEEE|y|d|cccc|d EEEE|d.MM.y|d MMM y|d MMMM y|\
             d MMMM y EEEE",
        has_12_hours: false,
        times: "a h|a h:mm|a h:mm:ss|HH|HH:mm|HH:mm:ss|mm:ss|HH:mm:ss z|HH:mm:ss z|HH:mm z",
        joints: "1 0|1 0|1 0|1 0|1 0|1 0|1 0|1 0|1 0",
        day_periods: ["ÖÖ", "ÖS"],
        utc: "Eş Güdümlü Evrensel Zaman",
        gmt: ["GMT", "-", ":", "GMT+0"],
        zones: "",
        relative: "# saniye önce|# saniye sonra|# dakika önce|# dakika sonra|# saat önce|# saat sonra|\
             # gün önce|# gün sonra|# ay önce|# ay sonra|# yıl önce|# yıl sonra",
        words: "şimdi|evvelsi gün|dün|bugün|yarın|öbür gün|geçen ay|bu ay|gelecek ay|geçen yıl|bu yıl|\
             gelecek yıl",
    },
    Locale {
        tag: "ja",
        signs: [".", ",", "-", "NaN"],
        ungrouped: 3,
        percent: "#%",
        currency: ["¤#", "-¤#"],
        currencies: "JPY￥|CNY元|PHPPHP",
        months: ["", "", "", ""],
        weekdays: ["日曜日|月曜日|火曜日|水曜日|木曜日|金曜日|土曜日", "日|月|火|水|木|金|土", "", ""],
        dates: "M月|y/M|M/d|y/M/d|M/d(E)|y/M/d(E)|M月|y年M月|M月d日|y年M月d日|M月d日(E)|y年M月d日(E)|\
             M月|y年M月|M月d日|y年M月d日|M月d日EEEE|y年M月d日EEEE|y年|d日|cccc|d日EEEE|y/MM/dd|\
             y/MM/dd|y年M月d日|y年M月d日EEEE",
        has_12_hours: false,
        times: "aK時|aK:mm|aK:mm:ss|H時|H:mm|H:mm:ss|mm:ss|H:mm:ss z|H時mm分ss秒 z|H:mm z",
        joints: "1 0|1 0|1 0|1 0|0 (1)|1 0|1 0|1 0|1 0",
        day_periods: ["午前", "午後"],
        utc: "協定世界時",
        gmt: ["GMT", "-", ":", "GMT+0"],
        zones: "JST=JST",
        relative: "# 秒前|# 秒後|# 分前|# 分後|# 時間前|# 時間後|# 日前|# 日後|# か月前|# か月後|# 年前|\
             # 年後",
        words: "今|一昨日|昨日|今日|明日|明後日|先月|今月|来月|昨年|今年|来年",
    },
    Locale {
        tag: "zh",
        signs: [".", ",", "-", "NaN"],
        ungrouped: 3,
        percent: "#%",
        currency: ["¤#", "-¤#"],
        currencies: "USDUS$|JPYJP¥|CNY¥|AUDAU$|PHPPHP",
        months: [
            "",
            "",
            "一月|二月|三月|四月|五月|六月|七月|八月|九月|十月|十一月|十二月",
            "1月|2月|3月|4月|5月|6月|7月|8月|9月|10月|11月|12月",
        ],
        weekdays: ["星期日|星期一|星期二|星期三|星期四|星期五|星期六", "周日|周一|周二|周三|周四|周五|周六", "", ""],
        dates: "M月|y/M|M/d|y/M/d|M/dE|y/M/dE|LLL|y年M月|M月d日|y年M月d日|M月d日E|y年M月d日E|LLLL|\
             y年M月|M月d日|y年M月d日|M月d日EEEE|y年M月d日EEEE|y年|d日|cccc|d日EEEE|y/M/d|y年M月d日|\
             y年M月d日|y年M月d日EEEE",
        has_12_hours: false,
        times: "ah时|ah:mm|ah:mm:ss|H时|HH:mm|HH:mm:ss|mm:ss|z HH:mm:ss|z HH:mm:ss|z HH:mm",
        joints: "1 0|1 0|1 0|1 0|10|1 0|1 0|1 0|1 0",
        day_periods: ["上午", "下午"],
        utc: "协调世界时",
        gmt: ["GMT", "-", ":", "GMT+0"],
        zones: "",
        relative: "#秒钟前|#秒钟后|#分钟前|#分钟后|#小时前|#小时后|#天前|#天后|#个月前|#个月后|#年前|#年后",
        words: "现在|前天|昨天|今天|明天|后天|上个月|本月|下个月|去年|今年|明年",
    },
    Locale {
        tag: "ko",
        signs: [".", ",", "-", "NaN"],
        ungrouped: 3,
        percent: "#%",
        currency: ["¤#", "-¤#"],
        currencies: "USDUS$|JPYJP¥|AUDAU$|PHPPHP",
        months: [
            "1월|2월|3월|4월|5월|6월|7월|8월|9월|10월|11월|12월",
            "1월|2월|3월|4월|5월|6월|7월|8월|9월|10월|11월|12월",
            "",
            "",
        ],
        weekdays: ["일요일|월요일|화요일|수요일|목요일|금요일|토요일", "일|월|화|수|목|금|토", "", ""],
        dates: "M월|y. M.|M. d.|y. M. d.|M. d. (E)|y. M. d. (E)|MMMM|y년 MMMM|MMMM d일|y년 MMMM d일|\
             MMMM d일 (E)|y년 MMMM d일 (E)|MMMM|y년 MMMM|MMMM d일|y년 MMMM d일|MMMM d일 EEEE|\
             y년 MMMM d일 EEEE|y년|d일|cccc|d일 EEEE|yy. M. d.|y. M. d.|y년 MMMM d일|\
             y년 MMMM d일 EEEE",
        has_12_hours: true,
        times: "a h시|a h:mm|a h:mm:ss|H시|HH:mm|H시 m분 s초|mm:ss|a h시 m분 s초 z|a h시 m분 s초 z|\
             a h:mm z",
        joints: "1 0|1 0|1 0|1 0|(1) 0|1 0|1 0|1 0|1 0",
        day_periods: ["AM", "PM"],
        utc: "협정 세계시",
        gmt: ["GMT", "-", ":", "GMT+0"],
        zones: "",
        relative: "#초 전|#초 후|#분 전|#분 후|#시간 전|#시간 후|#일 전|#일 후|#개월 전|#개월 후|#년 전|\
             #년 후",
        words: "지금|그저께|어제|오늘|내일|모레|지난달|이번 달|다음 달|작년|올해|내년",
    },
    Locale {
        tag: "ru",
        signs: [",", "\u{a0}", "-", "не\u{a0}число"],
        ungrouped: 3,
        percent: "#\u{a0}%",
        currency: ["#\u{a0}¤", "-#\u{a0}¤"],
        currencies: "RUB₽|THB฿|PHPPHP|UAH₴",
        months: [
            "января|февраля|марта|апреля|мая|июня|июля|августа|сентября|октября|ноября|декабря",
            "янв.|февр.|мар.|апр.|мая|июн.|июл.|авг.|сент.|окт.|нояб.|дек.",
            "январь|февраль|март|апрель|май|июнь|июль|август|сентябрь|октябрь|ноябрь|декабрь",
            "янв.|февр.|март|апр.|май|июнь|июль|авг.|сент.|окт.|нояб.|дек.",
        ],
        weekdays: ["воскресенье|понедельник|вторник|среда|четверг|пятница|суббота", "вс|пн|вт|ср|чт|пт|сб", "", ""],
        dates: "M|MM.y|dd.MM|dd.MM.y|E, dd.MM|E, dd.MM.y|MMM|MMM y г.|d MMM|d MMM y г.|E, d MMM|\
             E, d MMM y г.|LLLL|LLLL y г.|d MMMM|d MMMM y г.|EEEE, d MMMM|EEEE, d MMMM y г.|y|d|cccc|\
             EEEE, d|dd.MM.y|d MMM y г.|d MMMM y г.|EEEE, d MMMM y г.",
        has_12_hours: false,
        times: "h a|h:mm a|h:mm:ss a|H|HH:mm|HH:mm:ss|mm:ss|HH:mm:ss z|HH:mm:ss z|HH:mm z",
        joints: "1, 0|1, 0|1 в 0|1 в 0|1 0|1, 0|1, 0|1 в 0|1 в 0",
        day_periods: ["AM", "PM"],
        utc: "Всемирное координированное время",
        gmt: ["GMT", "-", ":", "GMT+0"],
        zones: "",
        relative: "many=# секунд назад~one=# секунду назад~# секунды назад|\
             many=через # секунд~one=через # секунду~через # секунды|\
             many=# минут назад~one=# минуту назад~# минуты назад|\
             many=через # минут~one=через # минуту~через # минуты|\
             many=# часов назад~one=# час назад~# часа назад|\
             many=через # часов~one=через # час~через # часа|\
             many=# дней назад~one=# день назад~# дня назад|\
             many=через # дней~one=через # день~через # дня|\
             many=# месяцев назад~one=# месяц назад~# месяца назад|\
             many=через # месяцев~one=через # месяц~через # месяца|\
             many=# лет назад~one=# год назад~# года назад|\
             many=через # лет~one=через # год~через # года",
        words: "сейчас|позавчера|вчера|сегодня|завтра|послезавтра|в прошлом месяце|в этом месяце|\
             в следующем месяце|в прошлом году|в этом году|в следующем году",
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locales_are_found_by_what_is_near() {
        for (tag, found) in [
            ("en-US", Some("en-US")),
            ("en", Some("en-US")),
            ("en-CA", Some("en-US")),
            ("EN-gb", Some("en-GB")),
            ("en-AU", Some("en-GB")),
            ("de-AT", Some("de")),
            ("pt_BR", Some("pt")),
            ("no", Some("nb")),
            ("zh-Hant-TW", Some("zh")),
            ("xx", None),
            ("", None),
            ("-", None),
        ] {
            assert_eq!(find(tag).map(|locale| locale.tag), found, "{tag}");
        }
    }

    #[test]
    fn lists_are_whole() {
        let count = |list: &str| list.split('|').count();
        for locale in &LOCALES {
            let lists = [locale.dates, locale.times, locale.joints, locale.relative, locale.words].map(count);
            assert_eq!(lists, [26, 10, 9, 12, 12], "{}", locale.tag);
            let is_of = |lists: [&str; 4], length: usize| lists.iter().all(|it| it.is_empty() || count(it) == length);
            assert!(is_of(locale.months, 12) && is_of(locale.weekdays, 7), "{}", locale.tag);
            let joins = |joint: &str| joint.contains('0') && joint.contains('1');
            assert!(locale.joints.split('|').all(joins), "{}", locale.tag);
        }
    }

    #[test]
    fn numbers_have_categories() {
        use PluralRuleType::{Cardinal, Ordinal};
        for (tag, number, kind, found) in [
            ("en", 1.0, Cardinal, "one"),
            ("en-US", 1.5, Cardinal, "other"),
            ("en", 2.0, Ordinal, "two"),
            ("en", 12.0, Ordinal, "other"),
            ("en", 103.0, Ordinal, "few"),
            ("fr", 1.5, Cardinal, "one"),
            ("fr", 1e6, Cardinal, "many"),
            ("ru", 3.0, Cardinal, "few"),
            ("ru", 5.0, Cardinal, "many"),
            ("pl", -2.0, Cardinal, "few"),
            ("uk", 21.0, Cardinal, "one"),
            ("ja", 1.0, Cardinal, "other"),
            ("de_AT", 1.0, Cardinal, "one"),
            ("english", 1.0, Cardinal, "one"),
            ("!", 1.0, Cardinal, "one"),
            ("en", f64::NAN, Cardinal, "other"),
            ("en", 1e300, Cardinal, "other"),
        ] {
            assert_eq!(category(tag, number, kind), found, "{tag} {number}");
        }
    }
}
