//! Times from now as languages write them. Lists are texts with bars between their items.

use super::parts::item;

pub const UNITS: [&str; 6] = ["second", "minute", "hour", "day", "month", "year"];

pub struct Relative {
    /// Past and future of each of [`UNITS`], by category; the last form is for all others.
    forms: &'static str,
    /// Now; then from two days ago to two days ahead; then months and years from the last to the next.
    words: &'static str,
}

impl Relative {
    /// The form for so many units ago or ahead, with `#` for the number.
    pub fn form(&self, unit: usize, is_past: bool, category: &str) -> &'static str {
        let forms = item(self.forms, unit * 2 + usize::from(!is_past));
        let prefix = format!("{category}=");
        let form = forms.split('~').find_map(|form| form.strip_prefix(prefix.as_str()));
        form.or(forms.rsplit('~').next()).unwrap_or_default()
    }

    /// The word for a near time, such as tomorrow, if there is one.
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

pub const EN_US: Relative = Relative {
    forms: "one=# second ago~# seconds ago|one=in # second~in # seconds|\
         one=# minute ago~# minutes ago|one=in # minute~in # minutes|one=# hour ago~# hours ago|\
         one=in # hour~in # hours|one=# day ago~# days ago|one=in # day~in # days|\
         one=# month ago~# months ago|one=in # month~in # months|one=# year ago~# years ago|\
         one=in # year~in # years",
    words: "now||yesterday|today|tomorrow||last month|this month|next month|last year|this year|\
         next year",
};

pub const EN_GB: Relative = Relative {
    forms: "one=# second ago~# seconds ago|one=in # second~in # seconds|\
         one=# minute ago~# minutes ago|one=in # minute~in # minutes|one=# hour ago~# hours ago|\
         one=in # hour~in # hours|one=# day ago~# days ago|one=in # day~in # days|\
         one=# month ago~# months ago|one=in # month~in # months|one=# year ago~# years ago|\
         one=in # year~in # years",
    words: "now||yesterday|today|tomorrow||last month|this month|next month|last year|this year|\
         next year",
};

pub const DE: Relative = Relative {
    forms: "one=vor # Sekunde~vor # Sekunden|one=in # Sekunde~in # Sekunden|\
         one=vor # Minute~vor # Minuten|one=in # Minute~in # Minuten|\
         one=vor # Stunde~vor # Stunden|one=in # Stunde~in # Stunden|one=vor # Tag~vor # Tagen|\
         one=in # Tag~in # Tagen|one=vor # Monat~vor # Monaten|one=in # Monat~in # Monaten|\
         one=vor # Jahr~vor # Jahren|one=in # Jahr~in # Jahren",
    words: "jetzt|vorgestern|gestern|heute|morgen|übermorgen|letzten Monat|diesen Monat|\
         nächsten Monat|letztes Jahr|dieses Jahr|nächstes Jahr",
};

pub const FR: Relative = Relative {
    forms: "one=il y a # seconde~il y a # secondes|one=dans # seconde~dans # secondes|\
         one=il y a # minute~il y a # minutes|one=dans # minute~dans # minutes|\
         one=il y a # heure~il y a # heures|one=dans # heure~dans # heures|\
         one=il y a # jour~il y a # jours|one=dans # jour~dans # jours|il y a # mois|dans # mois|\
         one=il y a # an~il y a # ans|one=dans # an~dans # ans",
    words: "maintenant|avant-hier|hier|aujourd’hui|demain|après-demain|le mois dernier|ce mois-ci|\
         le mois prochain|l’année dernière|cette année|l’année prochaine",
};

pub const ES: Relative = Relative {
    forms: "one=hace # segundo~hace # segundos|one=dentro de # segundo~dentro de # segundos|\
         one=hace # minuto~hace # minutos|one=dentro de # minuto~dentro de # minutos|\
         one=hace # hora~hace # horas|one=dentro de # hora~dentro de # horas|\
         one=hace # día~hace # días|one=dentro de # día~dentro de # días|\
         one=hace # mes~hace # meses|one=dentro de # mes~dentro de # meses|\
         one=hace # año~hace # años|one=dentro de # año~dentro de # años",
    words: "ahora|anteayer|ayer|hoy|mañana|pasado mañana|el mes pasado|este mes|el próximo mes|\
         el año pasado|este año|el próximo año",
};

pub const IT: Relative = Relative {
    forms: "one=# secondo fa~# secondi fa|one=tra # secondo~tra # secondi|\
         one=# minuto fa~# minuti fa|one=tra # minuto~tra # minuti|one=# ora fa~# ore fa|\
         one=tra # ora~tra # ore|one=# giorno fa~# giorni fa|one=tra # giorno~tra # giorni|\
         one=# mese fa~# mesi fa|one=tra # mese~tra # mesi|one=# anno fa~# anni fa|\
         one=tra # anno~tra # anni",
    words: "ora|l’altro ieri|ieri|oggi|domani|dopodomani|mese scorso|questo mese|mese prossimo|\
         anno scorso|quest’anno|anno prossimo",
};

pub const PT: Relative = Relative {
    forms: "one=há # segundo~há # segundos|one=em # segundo~em # segundos|\
         one=há # minuto~há # minutos|one=em # minuto~em # minutos|one=há # hora~há # horas|\
         one=em # hora~em # horas|one=há # dia~há # dias|one=em # dia~em # dias|\
         one=há # mês~há # meses|one=em # mês~em # meses|one=há # ano~há # anos|\
         one=em # ano~em # anos",
    words: "agora|anteontem|ontem|hoje|amanhã|depois de amanhã|mês passado|este mês|próximo mês|\
         ano passado|este ano|próximo ano",
};

pub const NL: Relative = Relative {
    forms: "one=# seconde geleden~# seconden geleden|one=over # seconde~over # seconden|\
         one=# minuut geleden~# minuten geleden|one=over # minuut~over # minuten|# uur geleden|\
         over # uur|one=# dag geleden~# dagen geleden|one=over # dag~over # dagen|\
         one=# maand geleden~# maanden geleden|one=over # maand~over # maanden|# jaar geleden|\
         over # jaar",
    words: "nu|eergisteren|gisteren|vandaag|morgen|overmorgen|vorige maand|deze maand|\
         volgende maand|vorig jaar|dit jaar|volgend jaar",
};

pub const SV: Relative = Relative {
    forms: "one=för # sekund sedan~för # sekunder sedan|one=om # sekund~om # sekunder|\
         one=för # minut sedan~för # minuter sedan|one=om # minut~om # minuter|\
         one=för # timme sedan~för # timmar sedan|one=om # timme~om # timmar|\
         one=för # dag sedan~för # dagar sedan|one=om # dag~om # dagar|\
         one=för # månad sedan~för # månader sedan|one=om # månad~om # månader|för # år sedan|\
         om # år",
    words: "nu|i förrgår|i går|i dag|i morgon|i övermorgon|förra månaden|den här månaden|\
         nästa månad|förra året|i år|nästa år",
};

pub const DA: Relative = Relative {
    forms: "one=for # sekund siden~for # sekunder siden|one=om # sekund~om # sekunder|\
         one=for # minut siden~for # minutter siden|one=om # minut~om # minutter|\
         one=for # time siden~for # timer siden|one=om # time~om # timer|\
         one=for # dag siden~for # dage siden|one=om # dag~om # dage|\
         one=for # måned siden~for # måneder siden|one=om # måned~om # måneder|for # år siden|\
         om # år",
    words: "nu|i forgårs|i går|i dag|i morgen|i overmorgen|sidste måned|denne måned|næste måned|\
         sidste år|i år|næste år",
};

pub const NB: Relative = Relative {
    forms: "one=for # sekund siden~for # sekunder siden|one=om # sekund~om # sekunder|\
         one=for # minutt siden~for # minutter siden|one=om # minutt~om # minutter|\
         one=for # time siden~for # timer siden|one=om # time~om # timer|for # døgn siden|\
         om # døgn|one=for # måned siden~for # måneder siden|one=om # måned~om # måneder|\
         for # år siden|om # år",
    words: "nå|i forgårs|i går|i dag|i morgen|i overmorgen|forrige måned|denne måneden|neste måned|\
         i fjor|i år|neste år",
};

pub const FI: Relative = Relative {
    forms: "one=# sekunti sitten~# sekuntia sitten|# sekunnin päästä|\
         one=# minuutti sitten~# minuuttia sitten|# minuutin päästä|\
         one=# tunti sitten~# tuntia sitten|# tunnin päästä|one=# päivä sitten~# päivää sitten|\
         # päivän päästä|one=# kuukausi sitten~# kuukautta sitten|# kuukauden päästä|\
         one=# vuosi sitten~# vuotta sitten|# vuoden päästä",
    words: "nyt|toissa päivänä|eilen|tänään|huomenna|ylihuomenna|viime kuussa|tässä kuussa|\
         ensi kuussa|viime vuonna|tänä vuonna|ensi vuonna",
};

pub const PL: Relative = Relative {
    forms: "many=# sekund temu~one=# sekundę temu~# sekundy temu|\
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
};

pub const CS: Relative = Relative {
    forms: "many=před # sekundy~one=před # sekundou~před # sekundami|\
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
};

pub const TR: Relative = Relative {
    forms: "# saniye önce|# saniye sonra|# dakika önce|# dakika sonra|# saat önce|# saat sonra|\
         # gün önce|# gün sonra|# ay önce|# ay sonra|# yıl önce|# yıl sonra",
    words: "şimdi|evvelsi gün|dün|bugün|yarın|öbür gün|geçen ay|bu ay|gelecek ay|geçen yıl|bu yıl|\
         gelecek yıl",
};

pub const JA: Relative = Relative {
    forms: "# 秒前|# 秒後|# 分前|# 分後|# 時間前|# 時間後|# 日前|# 日後|# か月前|# か月後|# 年前|\
         # 年後",
    words: "今|一昨日|昨日|今日|明日|明後日|先月|今月|来月|昨年|今年|来年",
};

pub const ZH: Relative = Relative {
    forms: "#秒钟前|#秒钟后|#分钟前|#分钟后|#小时前|#小时后|#天前|#天后|#个月前|#个月后|#年前|#年后",
    words: "现在|前天|昨天|今天|明天|后天|上个月|本月|下个月|去年|今年|明年",
};

pub const KO: Relative = Relative {
    forms: "#초 전|#초 후|#분 전|#분 후|#시간 전|#시간 후|#일 전|#일 후|#개월 전|#개월 후|#년 전|\
         #년 후",
    words: "지금|그저께|어제|오늘|내일|모레|지난달|이번 달|다음 달|작년|올해|내년",
};

pub const RU: Relative = Relative {
    forms: "many=# секунд назад~one=# секунду назад~# секунды назад|\
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
};

#[cfg(test)]
mod tests {
    use crate::template::helpers::locale::LOCALES;

    #[test]
    fn lists_are_whole() {
        let count = |list: &str| list.split('|').count();
        for locale in &LOCALES {
            let lists = [locale.relative.forms, locale.relative.words].map(count);
            assert_eq!(lists, [12, 12], "{}", locale.tag);
        }
    }
}
