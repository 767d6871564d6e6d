//! Numbers and currencies as languages write them.

use super::parts::behind;

pub struct Numbers {
    /// The decimal separator, the group separator, the minus sign, and the text for what is not a number.
    pub signs: [&'static str; 4],
    /// The most digits that are not grouped.
    pub ungrouped: usize,
    pub percent: &'static str,
    /// A positive and a negative amount.
    pub currency: [&'static str; 2],
    /// Symbols of currencies, behind their codes, that differ from [`SYMBOLS`].
    currencies: &'static str,
}

impl Numbers {
    /// The symbol of a currency; its code if it has none.
    pub fn symbol<'c>(&self, code: &'c str) -> &'c str {
        behind(self.currencies, code).or_else(|| behind(SYMBOLS, code)).unwrap_or(code)
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

/// The symbol of a currency without a mark of its country; its code if it has none.
pub fn narrow_symbol(code: &str) -> &str {
    behind(NARROW, code).unwrap_or(code)
}

/// Symbols of currencies in en-US, if they differ from the code.
const SYMBOLS: &str = "USD$|EUR€|GBP£|JPY¥|CNYCN¥|INR₹|KRW₩|BRLR$|CADCA$|AUDA$|NZDNZ$|MXNMX$|HKDHK$|TWDNT$|ILS₪|\
     VND₫|PHP₱|XAFFCFA|XOFF\u{202f}CFA|XPFCFPF";
/// Symbols without a mark of their country.
const NARROW: &str = "USD$|EUR€|GBP£|JPY¥|CNY¥|INR₹|KRW₩|BRLR$|CAD$|AUD$|NZD$|MXN$|HKD$|TWD$|ILS₪|VND₫|SEKkr|\
     NOKkr|DKKkr|PLNzł|CZKKč|HUFFt|RUB₽|TRY₺|ZARR|SGD$|THB฿|PHP₱|IDRRp|MYRRM|EGPE£|UAH₴|RONlei|\
     XAFFCFA|XOFF\u{202f}CFA|XPFCFPF|KZT₸|NGN₦|ARS$|CLP$|COP$";

pub const EN_US: Numbers =
    Numbers { signs: [".", ",", "-", "NaN"], ungrouped: 3, percent: "#%", currency: ["¤#", "-¤#"], currencies: "" };

pub const EN_GB: Numbers = Numbers {
    signs: [".", ",", "-", "NaN"],
    ungrouped: 3,
    percent: "#%",
    currency: ["¤#", "-¤#"],
    currencies: "USDUS$|JPYJP¥",
};

pub const DE: Numbers = Numbers {
    signs: [",", ".", "-", "NaN"],
    ungrouped: 3,
    percent: "#\u{a0}%",
    currency: ["#\u{a0}¤", "-#\u{a0}¤"],
    currencies: "AUDAU$|THB฿|PHPPHP",
};

pub const FR: Numbers = Numbers {
    signs: [",", "\u{202f}", "-", "NaN"],
    ungrouped: 3,
    percent: "#\u{a0}%",
    currency: ["#\u{a0}¤", "-#\u{a0}¤"],
    currencies: "USD$US|GBP£GB|JPYJPY|CNYCNY|CAD$CA|AUD$AU|NZD$NZ|MXN$MX|HKDHKD|TWDTWD|SGD$SG|PHPPHP|\
         XPFFCFP|ARS$AR|CLP$CL|COP$CO",
};

pub const ES: Numbers = Numbers {
    signs: [",", ".", "-", "NaN"],
    ungrouped: 4,
    percent: "#\u{a0}%",
    currency: ["#\u{a0}¤", "-#\u{a0}¤"],
    currencies: "USDUS$|GBPGBP|JPYJPY|CNYCNY|INRINR|KRWKRW|BRLBRL|CADCAD|AUDAUD|NZDNZD|MXNMXN|HKDHKD|\
         TWDTWD|ILSILS|THB฿|PHPPHP|XAFXAF|XOFXOF",
};

pub const IT: Numbers = Numbers {
    signs: [",", ".", "-", "NaN"],
    ungrouped: 4,
    percent: "#%",
    currency: ["#\u{a0}¤", "-#\u{a0}¤"],
    currencies: "USDUSD|JPYJPY|INRINR|KRWKRW|BRLBRL|MXNMXN|HKDHKD|TWDTWD|VNDVND|THB฿",
};

pub const PT: Numbers = Numbers {
    signs: [",", ".", "-", "NaN"],
    ungrouped: 3,
    percent: "#%",
    currency: ["¤\u{a0}#", "-¤\u{a0}#"],
    currencies: "USDUS$|JPYJP¥|AUDAU$|THB฿|PHPPHP",
};

pub const NL: Numbers = Numbers {
    signs: [",", ".", "-", "NaN"],
    ungrouped: 3,
    percent: "#%",
    currency: ["¤\u{a0}#", "¤\u{a0}-#"],
    currencies: "USDUS$|JPYJP¥|CADC$|AUDAU$|THB฿|PHPPHP|XPFXPF",
};

pub const SV: Numbers = Numbers {
    signs: [",", "\u{a0}", "−", "NaN"],
    ungrouped: 3,
    percent: "#\u{a0}%",
    currency: ["#\u{a0}¤", "-#\u{a0}¤"],
    currencies: "USDUS$|GBPGBP|JPYJPY|CNYCNY|INRINR|KRWKRW|BRLBR$|AUDAUD|NZDNZD|HKDHKD|TWDTWD|VNDVND|\
         SEKkr|NOKNkr|DKKDkr|PHPPHP|EGPEG£",
};

pub const DA: Numbers = Numbers {
    signs: [",", ".", "-", "NaN"],
    ungrouped: 3,
    percent: "#\u{a0}%",
    currency: ["#\u{a0}¤", "-#\u{a0}¤"],
    currencies: "USDUS$|JPYJP¥|AUDAU$|DKKkr.|THB฿|PHPPHP",
};

pub const NB: Numbers = Numbers {
    signs: [",", "\u{a0}", "−", "NaN"],
    ungrouped: 3,
    percent: "#\u{a0}%",
    currency: ["#\u{a0}¤", "-#\u{a0}¤"],
    currencies: "USDUSD|JPYJPY|CNYCNY|INRINR|KRWKRW|BRLBRL|CADCAD|AUDAUD|NZDNZD|MXNMXN|HKDHKD|TWDTWD|\
         ILSILS|VNDVND|NOKkr|PHPPHP|XAFXAF|XPFXPF",
};

pub const FI: Numbers = Numbers {
    signs: [",", "\u{a0}", "−", "epäluku"],
    ungrouped: 3,
    percent: "#\u{a0}%",
    currency: ["#\u{a0}¤", "-#\u{a0}¤"],
    currencies: "CNYCNY|INRINR|KRWKRW|BRLBRL|CADCAD|AUDAUD|NZDNZD|MXNMXN|HKDHKD|TWDTWD|ILSILS|VNDVND|\
         PHPPHP|XPFXPF",
};

pub const PL: Numbers = Numbers {
    signs: [",", "\u{a0}", "-", "NaN"],
    ungrouped: 4,
    percent: "#%",
    currency: ["#\u{a0}¤", "-#\u{a0}¤"],
    currencies: "USDUSD|GBPGBP|JPYJPY|CNYCNY|INRINR|KRWKRW|CADCAD|AUDAUD|NZDNZD|MXNMXN|HKDHKD|TWDTWD|\
         ILSILS|VNDVND|PLNzł|PHPPHP",
};

pub const CS: Numbers = Numbers {
    signs: [",", "\u{a0}", "-", "NaN"],
    ungrouped: 3,
    percent: "#\u{a0}%",
    currency: ["#\u{a0}¤", "-#\u{a0}¤"],
    currencies: "USDUS$|JPYJP¥|INRINR|AUDAU$|ILSILS|VNDVND|CZKKč|PHPPHP",
};

pub const TR: Numbers = Numbers {
    signs: [",", ".", "-", "NaN"],
    ungrouped: 3,
    percent: "%#",
    currency: ["¤#", "-¤#"],
    currencies: "AUDAU$|TRY₺|THB฿|PHPPHP",
};

pub const JA: Numbers = Numbers {
    signs: [".", ",", "-", "NaN"],
    ungrouped: 3,
    percent: "#%",
    currency: ["¤#", "-¤#"],
    currencies: "JPY￥|CNY元|PHPPHP",
};

pub const ZH: Numbers = Numbers {
    signs: [".", ",", "-", "NaN"],
    ungrouped: 3,
    percent: "#%",
    currency: ["¤#", "-¤#"],
    currencies: "USDUS$|JPYJP¥|CNY¥|AUDAU$|PHPPHP",
};

pub const KO: Numbers = Numbers {
    signs: [".", ",", "-", "NaN"],
    ungrouped: 3,
    percent: "#%",
    currency: ["¤#", "-¤#"],
    currencies: "USDUS$|JPYJP¥|AUDAU$|PHPPHP",
};

pub const RU: Numbers = Numbers {
    signs: [",", "\u{a0}", "-", "не\u{a0}число"],
    ungrouped: 3,
    percent: "#\u{a0}%",
    currency: ["#\u{a0}¤", "-#\u{a0}¤"],
    currencies: "RUB₽|THB฿|PHPPHP|UAH₴",
};
