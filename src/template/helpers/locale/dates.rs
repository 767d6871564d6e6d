//! Dates and times as languages write them. Lists are texts with bars between their items.

use super::parts::{behind, item};

pub struct Dates {
    /// Names of months: long and short, and those for use alone, if they differ.
    months: [&'static str; 4],
    /// The same of weekdays.
    weekdays: [&'static str; 4],
    /// By [`DatePattern`](super::DatePattern).
    patterns: &'static str,
    /// Whether the day is counted in 12 hours, twice.
    pub has_12_hours: bool,
    /// By [`TimePattern`](super::TimePattern).
    times: &'static str,
    /// A date (1) and a time (0), by [`Joint`](super::Joint).
    joints: &'static str,
    pub day_periods: [&'static str; 2],
    /// The long name of UTC.
    pub utc: &'static str,
    /// The texts around the offset of a time zone: before it, for a negative one, between hours and minutes, and for
    /// none.
    pub gmt: [&'static str; 4],
    /// Short names of time zones, by the names in the database of time zones.
    zones: &'static str,
}

impl Dates {
    pub fn date_pattern(&self, place: usize) -> &'static str {
        item(self.patterns, place)
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

    /// The short name of a time zone in this locale.
    pub fn zone(&self, abbreviation: &str) -> Option<&'static str> {
        behind(self.zones, &format!("{abbreviation}="))
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

pub const EN_US: Dates = Dates {
    months: [
        "January|February|March|April|May|June|July|August|September|October|November|December",
        "Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec",
        "",
        "",
    ],
    weekdays: ["Sunday|Monday|Tuesday|Wednesday|Thursday|Friday|Saturday", "Sun|Mon|Tue|Wed|Thu|Fri|Sat", "", ""],
    patterns: "M|M/y|M/d|M/d/y|E, M/d|E, M/d/y|MMM|MMM y|MMM d|MMM d, y|E, MMM d|E, MMM d, y|MMMM|\
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
};

pub const EN_GB: Dates = Dates {
    months: [
        "January|February|March|April|May|June|July|August|September|October|November|December",
        "Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sept|Oct|Nov|Dec",
        "",
        "",
    ],
    weekdays: ["Sunday|Monday|Tuesday|Wednesday|Thursday|Friday|Saturday", "Sun|Mon|Tue|Wed|Thu|Fri|Sat", "", ""],
    patterns: "M|MM/y|dd/MM|dd/MM/y|E dd/MM|E, dd/MM/y|MMM|MMM y|d MMM|d MMM y|E d MMM|E, d MMM y|MMMM|\
         MMMM y|d MMMM|d MMMM y|EEEE d MMMM|EEEE, d MMMM y|y|d|cccc|EEEE d|dd/MM/y|d MMM y|\
         d MMMM y|EEEE, d MMMM y",
    has_12_hours: false,
    times: "h a|h:mm a|h:mm:ss a|HH|HH:mm|HH:mm:ss|mm:ss|HH:mm:ss z|HH:mm:ss z|HH:mm z",
    joints: "1, 0|1, 0|1 'at' 0|1 'at' 0|1 0|1, 0|1, 0|1 'at' 0|1 'at' 0",
    day_periods: ["am", "pm"],
    utc: "Coordinated Universal Time",
    gmt: ["GMT", "-", ":", "GMT"],
    zones: "CET=CET|CEST=CEST|EET=EET|EEST=EEST|WET=WET|WEST=WEST|BST=BST",
};

pub const DE: Dates = Dates {
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
    patterns: "M|M/y|d.M.|d.M.y|E, d.M.|E, d.M.y|LLL|MMM y|d. MMM|d. MMM y|E, d. MMM|E, d. MMM y|MMMM|\
         MMMM y|d. MMMM|d. MMMM y|EEEE, d. MMMM|EEEE, d. MMMM y|y|d|cccc|EEEE, d.|dd.MM.yy|\
         dd.MM.y|d. MMMM y|EEEE, d. MMMM y",
    has_12_hours: false,
    times: "h a|h:mm a|h:mm:ss a|HH 'Uhr'|HH:mm|HH:mm:ss|mm:ss|HH:mm:ss z|HH:mm:ss z|HH:mm z",
    joints: "1, 0|1, 0|1 'um' 0|1 'um' 0|1, 0|1, 0|1, 0|1 'um' 0|1 'um' 0",
    day_periods: ["AM", "PM"],
    utc: "Koordinierte Weltzeit",
    gmt: ["GMT", "-", ":", "GMT+0"],
    zones: "CET=MEZ|CEST=MESZ|EET=OEZ|EEST=OESZ|WET=WEZ|WEST=WESZ",
};

pub const FR: Dates = Dates {
    months: [
        "janvier|février|mars|avril|mai|juin|juillet|août|septembre|octobre|novembre|décembre",
        "janv.|févr.|mars|avr.|mai|juin|juil.|août|sept.|oct.|nov.|déc.",
        "",
        "",
    ],
    weekdays: ["dimanche|lundi|mardi|mercredi|jeudi|vendredi|samedi", "dim.|lun.|mar.|mer.|jeu.|ven.|sam.", "", ""],
    patterns: "M|MM/y|dd/MM|dd/MM/y|E dd/MM|E dd/MM/y|MMM|MMM y|d MMM|d MMM y|E d MMM|E d MMM y|MMMM|\
         MMMM y|d MMMM|d MMMM y|EEEE d MMMM|EEEE d MMMM y|y|d|cccc|EEEE d|dd/MM/y|d MMM y|\
         d MMMM y|EEEE d MMMM y",
    has_12_hours: false,
    times: "h a|h:mm a|h:mm:ss a|HH 'h'|HH:mm|HH:mm:ss|mm:ss|HH:mm:ss z|HH:mm:ss z|HH:mm z",
    joints: "1 0|1, 0|1 à 0|1 à 0|1 0|1 0|1, 0|1 à 0|1 à 0",
    day_periods: ["AM", "PM"],
    utc: "temps universel coordonné",
    gmt: ["UTC", "−", ":", "UTC+0"],
    zones: "",
};

pub const ES: Dates = Dates {
    months: [
        "enero|febrero|marzo|abril|mayo|junio|julio|agosto|septiembre|octubre|noviembre|diciembre",
        "ene|feb|mar|abr|may|jun|jul|ago|sept|oct|nov|dic",
        "",
        "",
    ],
    weekdays: ["domingo|lunes|martes|miércoles|jueves|viernes|sábado", "dom|lun|mar|mié|jue|vie|sáb", "", ""],
    patterns: "M|M/y|d/M|d/M/y|E, d/M|E, d/M/y|MMM|MMM y|d MMM|d MMM y|E, d MMM|E, d MMM y|MMMM|\
         MMMM 'de' y|d 'de' MMMM|d 'de' MMMM 'de' y|EEEE, d 'de' MMMM|EEEE, d 'de' MMMM 'de' y|y|\
         d|cccc|EEEE d|d/M/yy|d MMM y|d 'de' MMMM 'de' y|EEEE, d 'de' MMMM 'de' y",
    has_12_hours: false,
    times: "h a|h:mm a|h:mm:ss a|H|H:mm|H:mm:ss|mm:ss|H:mm:ss z|H:mm:ss (z)|H:mm z",
    joints: "1, 0|1, 0|1 'a las' 0|1, 0|1, 0|1, 0|1, 0|1 'a las' 0|1, 0",
    day_periods: ["a. m.", "p. m."],
    utc: "tiempo universal coordinado",
    gmt: ["GMT", "-", ":", "GMT"],
    zones: "CET=CET|CEST=CEST|EET=EET|EEST=EEST|WET=WET|WEST=WEST",
};

pub const IT: Dates = Dates {
    months: [
        "gennaio|febbraio|marzo|aprile|maggio|giugno|luglio|agosto|settembre|ottobre|novembre|\
         dicembre",
        "gen|feb|mar|apr|mag|giu|lug|ago|set|ott|nov|dic",
        "",
        "",
    ],
    weekdays: ["domenica|lunedì|martedì|mercoledì|giovedì|venerdì|sabato", "dom|lun|mar|mer|gio|ven|sab", "", ""],
    patterns: "M|MM/y|dd/MM|dd/MM/y|E dd/MM|E dd/MM/y|MMM|MMM y|d MMM|d MMM y|E d MMM|E d MMM y|MMMM|\
         MMMM y|d MMMM|d MMMM y|EEEE d MMMM|EEEE d MMMM y|y|d|cccc|EEEE d|dd/MM/yy|d MMM y|\
         d MMMM y|EEEE d MMMM y",
    has_12_hours: false,
    times: "h a|h:mm a|h:mm:ss a|H|HH:mm|HH:mm:ss|mm:ss|HH:mm:ss z|HH:mm:ss z|HH:mm z",
    joints: "1, 0|1, 0|1 'alle ore' 0|1 'alle ore' 0|1 0|1, 0|1, 0|1 'alle ore' 0|1 'alle ore' 0",
    day_periods: ["AM", "PM"],
    utc: "Tempo coordinato universale",
    gmt: ["GMT", "-", ":", "GMT+0"],
    zones: "CET=CET|CEST=CEST|EET=EET|EEST=EEST|WET=WET|WEST=WEST",
};

pub const PT: Dates = Dates {
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
    patterns: "M|MM/y|dd/MM|dd/MM/y|E, dd/MM|E, dd/MM/y|MMM|MMM 'de' y|d 'de' MMM|d 'de' MMM 'de' y|\
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
};

pub const NL: Dates = Dates {
    months: [
        "januari|februari|maart|april|mei|juni|juli|augustus|september|oktober|november|december",
        "jan|feb|mrt|apr|mei|jun|jul|aug|sep|okt|nov|dec",
        "",
        "",
    ],
    weekdays: ["zondag|maandag|dinsdag|woensdag|donderdag|vrijdag|zaterdag", "zo|ma|di|wo|do|vr|za", "", ""],
    patterns: "M|M-y|d-M|d-M-y|E d-M|E d-M-y|MMM|MMM y|d MMM|d MMM y|E d MMM|E d MMM y|MMMM|MMMM y|\
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
};

pub const SV: Dates = Dates {
    months: [
        "januari|februari|mars|april|maj|juni|juli|augusti|september|oktober|november|december",
        "jan.|feb.|mars|apr.|maj|juni|juli|aug.|sep.|okt.|nov.|dec.",
        "",
        "",
    ],
    weekdays: ["söndag|måndag|tisdag|onsdag|torsdag|fredag|lördag", "sön|mån|tis|ons|tors|fre|lör", "", ""],
    patterns: "M|y-MM|d/M|y-MM-dd|E d/M|E, y-MM-dd|MMM|MMM y|d MMM|d MMM y|E d MMM|E d MMM y|MMMM|\
         MMMM y|d MMMM|d MMMM y|EEEE d MMMM|EEEE d MMMM y|y|d|cccc|EEEE d|y-MM-dd|d MMM y|\
         d MMMM y|EEEE d MMMM y",
    has_12_hours: false,
    times: "h a|h:mm a|h:mm:ss a|HH|HH:mm|HH:mm:ss|mm:ss|HH:mm:ss z|HH:mm:ss z|HH:mm z",
    joints: "1 0|1 0|1 'kl'. 0|1 'kl'. 0|1 0|1 0|1 0|1 'kl'. 0|1 'kl'. 0",
    day_periods: ["fm", "em"],
    utc: "koordinerad universell tid",
    gmt: ["GMT", "−", ":", "GMT"],
    zones: "CET=CET|CEST=CEST|EET=EET|EEST=EEST|WET=WET|WEST=WEST",
};

pub const DA: Dates = Dates {
    months: [
        "januar|februar|marts|april|maj|juni|juli|august|september|oktober|november|december",
        "jan.|feb.|mar.|apr.|maj|jun.|jul.|aug.|sep.|okt.|nov.|dec.",
        "",
        "",
    ],
    weekdays: ["søndag|mandag|tirsdag|onsdag|torsdag|fredag|lørdag", "søn.|man.|tirs.|ons.|tors.|fre.|lør.", "", ""],
    patterns: "M|M.y|d.M|d.M.y|E d.M|E d.M.y|MMM|MMM y|d. MMM|d. MMM y|E d. MMM|E d. MMM y|MMMM|MMMM y|\
         d. MMMM|d. MMMM y|EEEE d. MMMM|EEEE 'den' d. MMMM y|y|d.|cccc|EEEE 'den' d.|dd.MM.y|\
         d. MMM y|d. MMMM y|EEEE 'den' d. MMMM y",
    has_12_hours: false,
    times: "h a|h.mm a|h.mm.ss a|HH|HH.mm|HH.mm.ss|mm.ss|HH.mm.ss z|HH.mm.ss z|HH.mm z",
    joints: "1, 0|1, 0|1 'kl'. 0|1 'kl'. 0|1 0|1, 0|1, 0|1 'kl'. 0|1 'kl'. 0",
    day_periods: ["AM", "PM"],
    utc: "Koordineret universaltid",
    gmt: ["GMT", "-", ".", "GMT+0"],
    zones: "CET=CET|CEST=CEST|EET=EET|EEST=EEST|WET=WET|WEST=WEST",
};

pub const NB: Dates = Dates {
    months: [
        "januar|februar|mars|april|mai|juni|juli|august|september|oktober|november|desember",
        "jan.|feb.|mars|apr.|mai|juni|juli|aug.|sep.|okt.|nov.|des.",
        "",
        "jan|feb|mar|apr|mai|jun|jul|aug|sep|okt|nov|des",
    ],
    weekdays: ["søndag|mandag|tirsdag|onsdag|torsdag|fredag|lørdag", "søn.|man.|tir.|ons.|tor.|fre.|lør.", "", ""],
    patterns: "M.|M.y|d.M.|d.M.y|E d.M.|E d.M.y|LLL|MMM y|d. MMM|d. MMM y|E d. MMM|E d. MMM y|MMMM|\
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
};

pub const FI: Dates = Dates {
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
    patterns: "M|M.y|d.M.|d.M.y|E d.M.|E d.M.y|LLL|LLL y|d.M.|d.M.y|E d.M.|E d.M.y|LLLL|LLLL y|d. MMMM|\
         d. MMMM y|cccc d. MMMM|EEEE d. MMMM y|y|d|cccc|EEEE d.|d.M.y|d.M.y|d. MMMM y|\
         cccc d. MMMM y",
    has_12_hours: false,
    times: "h a|h.mm a|h.mm.ss a|H|H.mm|H.mm.ss|m.ss|H.mm.ss z|H.mm.ss z|H.mm z",
    joints: "1 'klo' 0|1 'klo' 0|1 'klo' 0|1 'klo' 0|1 0|1 'klo' 0|1 'klo' 0|1 'klo' 0|1 'klo' 0",
    day_periods: ["ap.", "ip."],
    utc: "UTC-yleisaika",
    gmt: ["UTC", "-", ".", "UTC+0"],
    zones: "",
};

pub const PL: Dates = Dates {
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
    patterns: "M|MM.y|d.MM|d.MM.y|E, d.MM|E, d.MM.y|MMM|MMM y|d MMM|d MMM y|E, d MMM|E, d MMM y|LLLL|\
         LLLL y|d MMMM|d MMMM y|EEEE, d MMMM|EEEE, d MMMM y|y|d|cccc|EEEE, d|d.MM.y|d MMM y|\
         d MMMM y|EEEE, d MMMM y",
    has_12_hours: false,
    times: "h a|h:mm a|h:mm:ss a|HH|HH:mm|HH:mm:ss|mm:ss|HH:mm:ss z|HH:mm:ss z|HH:mm z",
    joints: "1, 0|1, 0|1 0|1 0|1, 0|1, 0|1, 0|1 0|1 0",
    day_periods: ["AM", "PM"],
    utc: "uniwersalny czas koordynowany",
    gmt: ["GMT", "-", ":", "GMT+0"],
    zones: "CET=CET|CEST=CEST|EET=EET|EEST=EEST|WET=WET|WEST=WEST",
};

pub const CS: Dates = Dates {
    months: [
        "ledna|února|března|dubna|května|června|července|srpna|září|října|listopadu|prosince",
        "",
        "leden|únor|březen|duben|květen|červen|červenec|srpen|září|říjen|listopad|prosinec",
        "led|úno|bře|dub|kvě|čvn|čvc|srp|zář|říj|lis|pro",
    ],
    weekdays: ["neděle|pondělí|úterý|středa|čtvrtek|pátek|sobota", "ne|po|út|st|čt|pá|so", "", ""],
    patterns: "M|M/y|d. M.|d. M. y|E d. M.|E d. M. y|LLL|LLLL y|d. M.|d. M. y|E d. M.|E d. M. y|LLLL|\
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
};

pub const TR: Dates = Dates {
    months: [
        "Ocak|Şubat|Mart|Nisan|Mayıs|Haziran|Temmuz|Ağustos|Eylül|Ekim|Kasım|Aralık",
        "Oca|Şub|Mar|Nis|May|Haz|Tem|Ağu|Eyl|Eki|Kas|Ara",
        "",
        "",
    ],
    weekdays: ["Pazar|Pazartesi|Salı|Çarşamba|Perşembe|Cuma|Cumartesi", "Paz|Pzt|Sal|Çar|Per|Cum|Cmt", "", ""],
    patterns: "M|MM/y|d/M|dd.MM.y|d/M E|d.M.y E|MMM|MMM y|d MMM|d MMM y|d MMM E|d MMM y E|MMMM|MMMM y|\
         d MMMM|d MMMM y|d MMMM EEEE|d MMMM y EEEE|y|d|cccc|d EEEE|d.MM.y|d MMM y|d MMMM y|\
         d MMMM y EEEE",
    has_12_hours: false,
    times: "a h|a h:mm|a h:mm:ss|HH|HH:mm|HH:mm:ss|mm:ss|HH:mm:ss z|HH:mm:ss z|HH:mm z",
    joints: "1 0|1 0|1 0|1 0|1 0|1 0|1 0|1 0|1 0",
    day_periods: ["ÖÖ", "ÖS"],
    utc: "Eş Güdümlü Evrensel Zaman",
    gmt: ["GMT", "-", ":", "GMT+0"],
    zones: "",
};

pub const JA: Dates = Dates {
    months: ["", "", "", ""],
    weekdays: ["日曜日|月曜日|火曜日|水曜日|木曜日|金曜日|土曜日", "日|月|火|水|木|金|土", "", ""],
    patterns: "M月|y/M|M/d|y/M/d|M/d(E)|y/M/d(E)|M月|y年M月|M月d日|y年M月d日|M月d日(E)|y年M月d日(E)|\
         M月|y年M月|M月d日|y年M月d日|M月d日EEEE|y年M月d日EEEE|y年|d日|cccc|d日EEEE|y/MM/dd|\
         y/MM/dd|y年M月d日|y年M月d日EEEE",
    has_12_hours: false,
    times: "aK時|aK:mm|aK:mm:ss|H時|H:mm|H:mm:ss|mm:ss|H:mm:ss z|H時mm分ss秒 z|H:mm z",
    joints: "1 0|1 0|1 0|1 0|0 (1)|1 0|1 0|1 0|1 0",
    day_periods: ["午前", "午後"],
    utc: "協定世界時",
    gmt: ["GMT", "-", ":", "GMT+0"],
    zones: "JST=JST",
};

pub const ZH: Dates = Dates {
    months: [
        "",
        "",
        "一月|二月|三月|四月|五月|六月|七月|八月|九月|十月|十一月|十二月",
        "1月|2月|3月|4月|5月|6月|7月|8月|9月|10月|11月|12月",
    ],
    weekdays: ["星期日|星期一|星期二|星期三|星期四|星期五|星期六", "周日|周一|周二|周三|周四|周五|周六", "", ""],
    patterns: "M月|y/M|M/d|y/M/d|M/dE|y/M/dE|LLL|y年M月|M月d日|y年M月d日|M月d日E|y年M月d日E|LLLL|\
         y年M月|M月d日|y年M月d日|M月d日EEEE|y年M月d日EEEE|y年|d日|cccc|d日EEEE|y/M/d|y年M月d日|\
         y年M月d日|y年M月d日EEEE",
    has_12_hours: false,
    times: "ah时|ah:mm|ah:mm:ss|H时|HH:mm|HH:mm:ss|mm:ss|z HH:mm:ss|z HH:mm:ss|z HH:mm",
    joints: "1 0|1 0|1 0|1 0|10|1 0|1 0|1 0|1 0",
    day_periods: ["上午", "下午"],
    utc: "协调世界时",
    gmt: ["GMT", "-", ":", "GMT+0"],
    zones: "",
};

pub const KO: Dates = Dates {
    months: [
        "1월|2월|3월|4월|5월|6월|7월|8월|9월|10월|11월|12월",
        "1월|2월|3월|4월|5월|6월|7월|8월|9월|10월|11월|12월",
        "",
        "",
    ],
    weekdays: ["일요일|월요일|화요일|수요일|목요일|금요일|토요일", "일|월|화|수|목|금|토", "", ""],
    patterns: "M월|y. M.|M. d.|y. M. d.|M. d. (E)|y. M. d. (E)|MMMM|y년 MMMM|MMMM d일|y년 MMMM d일|\
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
};

pub const RU: Dates = Dates {
    months: [
        "января|февраля|марта|апреля|мая|июня|июля|августа|сентября|октября|ноября|декабря",
        "янв.|февр.|мар.|апр.|мая|июн.|июл.|авг.|сент.|окт.|нояб.|дек.",
        "январь|февраль|март|апрель|май|июнь|июль|август|сентябрь|октябрь|ноябрь|декабрь",
        "янв.|февр.|март|апр.|май|июнь|июль|авг.|сент.|окт.|нояб.|дек.",
    ],
    weekdays: ["воскресенье|понедельник|вторник|среда|четверг|пятница|суббота", "вс|пн|вт|ср|чт|пт|сб", "", ""],
    patterns: "M|MM.y|dd.MM|dd.MM.y|E, dd.MM|E, dd.MM.y|MMM|MMM y г.|d MMM|d MMM y г.|E, d MMM|\
         E, d MMM y г.|LLLL|LLLL y г.|d MMMM|d MMMM y г.|EEEE, d MMMM|EEEE, d MMMM y г.|y|d|cccc|\
         EEEE, d|dd.MM.y|d MMM y г.|d MMMM y г.|EEEE, d MMMM y г.",
    has_12_hours: false,
    times: "h a|h:mm a|h:mm:ss a|H|HH:mm|HH:mm:ss|mm:ss|HH:mm:ss z|HH:mm:ss z|HH:mm z",
    joints: "1, 0|1, 0|1 в 0|1 в 0|1 0|1, 0|1, 0|1 в 0|1 в 0",
    day_periods: ["AM", "PM"],
    utc: "Всемирное координированное время",
    gmt: ["GMT", "-", ":", "GMT+0"],
    zones: "",
};

#[cfg(test)]
mod tests {
    use crate::template::helpers::locale::LOCALES;

    #[test]
    fn lists_are_whole() {
        let count = |list: &str| list.split('|').count();
        for locale in &LOCALES {
            let dates = &locale.dates;
            assert_eq!([dates.patterns, dates.times, dates.joints].map(count), [26, 10, 9], "{}", locale.tag);
            let is_of = |lists: [&str; 4], length: usize| lists.iter().all(|it| it.is_empty() || count(it) == length);
            assert!(is_of(dates.months, 12) && is_of(dates.weekdays, 7), "{}", locale.tag);
            let joins = |joint: &str| joint.contains('0') && joint.contains('1');
            assert!(dates.joints.split('|').all(joins), "{}", locale.tag);
        }
    }
}
