//! The page: its files, as they are given to browsers. They are ES modules, a style sheet and one document, checked in as
//! they are served; it knows nothing of the API's other side.

use std::sync::OnceLock;

use sha2::{Digest, Sha256};

/// Stands in the document where the version does.
pub const VERSION: &str = "@version@";

const SCRIPT: &str = "text/javascript; charset=utf-8";

/// A file of the page.
pub struct File {
    pub name: &'static str,
    pub content_type: &'static str,
    pub text: &'static str,
}

macro_rules! files {
    ($($name:literal $content_type:expr),* $(,)?) => {
        &[$(File { name: $name, content_type: $content_type, text: include_str!($name) }),*]
    };
}

static INDEX: File =
    File { name: "index.html", content_type: "text/html; charset=utf-8", text: include_str!("index.html") };

/// What the document refers to.
pub static FILES: &[File] = files![
    "style.css" "text/css; charset=utf-8",
    "app.js" SCRIPT,
    "api.js" SCRIPT,
    "bench.js" SCRIPT,
    "channels.js" SCRIPT,
    "compose.js" SCRIPT,
    "dom.js" SCRIPT,
    "jobs.js" SCRIPT,
    "live.js" SCRIPT,
    "outbox.js" SCRIPT,
    "message.js" SCRIPT,
    "rows.js" SCRIPT,
    "start.js" SCRIPT,
    "templates.js" SCRIPT,
    "words.js" SCRIPT,
];

/// The document.
pub fn index() -> &'static File {
    &INDEX
}

/// The file with this name.
pub fn find(name: &str) -> Option<&'static File> {
    FILES.iter().find(|file| file.name == name)
}

/// Changes with each change to one of the files.
pub fn version() -> &'static str {
    static KNOWN: OnceLock<String> = OnceLock::new();
    KNOWN.get_or_init(|| {
        let mut digest = Sha256::new();
        FILES.iter().for_each(|file| digest.update(file.text));
        let hash: String = digest.finalize().iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        format!("{}-{hash}", env!("CARGO_PKG_VERSION"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes of all files, as they are served.
    const MOST_BYTES: usize = 120 * 1024;

    #[test]
    fn the_page_is_small() {
        let bytes: usize = FILES.iter().chain([&INDEX]).map(|file| file.text.len()).sum();
        assert!(bytes <= MOST_BYTES, "the page has {bytes} bytes");
    }

    #[test]
    fn no_text_becomes_markup() {
        for file in FILES.iter().filter(|file| file.content_type == SCRIPT) {
            for sink in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "DOMParser", "eval("] {
                assert!(!file.text.contains(sink), "{}: {sink}", file.name);
            }
        }
    }
}
