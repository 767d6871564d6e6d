//! What an e-mail is as its reader's client is given it. `tests/pictures` looks at the same in a browser.

use serde_json::Value;

use crate::support::{Customer, Daemon, json};

/// What goes out of a job with this definition to these users.
fn outbox(customer: &Customer, definition: Value, users: Value) -> Vec<Value> {
    let job_id = customer.create(definition);
    customer.ingest(&job_id, users);
    customer.run_to_the_end(&job_id);
    customer.outbox(&job_id)
}

/// The HTML and the plain text of an e-mail of these elements, with this brand if it is any.
fn email(customer: &Customer, elements: Value, brand: Option<Value>) -> (String, String) {
    let mut message = json!({ "content": { "version": "2022-01-01", "elements": elements } });
    if let Some(settings) = brand {
        let brand = customer.post("/brands", &json!({ "name": "Acme", "settings": settings }));
        message["brand_id"] = brand.json()["id"].clone();
    }
    let users = json!([{ "recipient": "ada", "profile": { "email": "ada@example.com" } }]);
    let item = outbox(customer, json!({ "message": message }), users).swap_remove(0);
    let (html, parts) = (item["html"].as_str().unwrap().to_owned(), &item["request"]["content"]);
    assert_eq!(parts[1]["value"], html.as_str());
    (html, parts[0]["value"].as_str().unwrap().to_owned())
}

#[test]
fn an_email_has_the_language_of_its_reader_and_begins_lines_on_its_side() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    customer.put("/profiles/stored", &json!({ "profile": { "email": "stored@example.com", "locale": "fa" } }));
    let profile = |locale: &str| json!({ "email": "ada@example.com", "locale": locale });
    let cases = [
        (json!({ "recipient": "a", "profile": profile("he_IL") }), "he-IL", "rtl"),
        (json!({ "recipient": "b", "profile": profile("de"), "to": { "locale": "ar" } }), "ar", "rtl"),
        (json!({ "recipient": "c", "profile": { "email": "c@example.com" } }), "ur", "rtl"),
        (json!({ "recipient": "d", "profile": profile("az-Arab") }), "az-Arab", "rtl"),
        (json!({ "recipient": "e", "profile": profile("ur-Latn") }), "ur-Latn", "ltr"),
        (json!({ "recipient": "f", "profile": profile("no locale") }), "en", "ltr"),
        (json!({ "recipient": "stored" }), "fa", "rtl"),
    ];
    let users: Vec<&Value> = cases.iter().map(|(user, ..)| user).collect();
    let definition = json!({ "message": { "content": { "title": "t", "body": "b" } }, "locale": "ur" });
    let items = outbox(&customer, definition, json!(users));
    for (item, (user, lang, dir)) in items.iter().zip(&cases) {
        let html = item["html"].as_str().unwrap();
        let side = if *dir == "rtl" { "right" } else { "left" };
        for part in [
            format!("<html lang=\"{lang}\" dir=\"{dir}\""),
            format!("<body class=\"bulkd-page\" dir=\"{dir}\""),
            // Some clients keep nothing of the two elements around.
            format!("lang=\"{lang}\" dir=\"{dir}\">\n<table"),
            format!("<td class=\"bulkd-inner\" align=\"{side}\""),
        ] {
            assert!(html.contains(&part), "{user}: no {part}");
        }
    }
    assert_eq!(items.len(), cases.len());
}

#[test]
fn an_email_of_mjml_has_the_language_of_its_reader_if_its_author_names_none() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let mjml = |root: &str| {
        format!(
            "<{root}><mj-body><mj-section><mj-column><mj-text>x</mj-text></mj-column></mj-section></mj-body></mjml>"
        )
    };
    let sent = |html: String| {
        let channel = json!({ "type": "channel", "channel": "email", "raw": { "subject": "s", "html": html } });
        let content = json!({ "version": "2022-01-01", "elements": [channel] });
        let user = json!({ "recipient": "a", "profile": { "email": "a@example.com" }, "to": { "locale": "he" } });
        let item = outbox(&customer, json!({ "message": { "content": content } }), json!([user])).swap_remove(0);
        item["html"].as_str().unwrap().to_owned()
    };
    for (root, expected) in
        [("mjml", "<html lang=\"he\" dir=\"rtl\""), ("mjml lang=\"de\" dir=\"ltr\"", "<html lang=\"de\" dir=\"ltr\"")]
    {
        let html = sent(mjml(root));
        assert!(html.contains(expected), "{root}: {:.200}", html);
    }
    // An author's own HTML is left as it is.
    let own = "<!doctype html><html lang=\"und\"><body>x</body></html>";
    assert_eq!(sent(own.to_owned()), own);
    let html = "<mjml><mj-body><mj-include path=\"a\" /></mj-body></mjml>";
    let channel = json!({ "type": "channel", "channel": "email", "raw": { "html": html } });
    let content = json!({ "version": "2022-01-01", "elements": [channel] });
    let refused = customer.post("/bulk", &json!({ "message": { "content": content } })).refused(400);
    assert!(refused.contains("mj-include is not supported: put what it names in its place"), "{refused}");
}

#[test]
fn long_words_wrap_and_columns_stack_on_a_phone() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let column = |text: &str| json!({ "type": "column", "elements": [{ "type": "text", "content": text }] });
    let (html, _) = email(&customer, json!([{ "type": "columns", "elements": [column("l"), column("r")] }]), None);
    let (inner, rest) = html.split_once("<td class=\"bulkd-inner\"").unwrap();
    assert!(inner.contains("table-layout:fixed"));
    assert!(rest.split('>').next().unwrap().contains("overflow-wrap:anywhere;word-break:break-word"));
    assert_eq!(rest.matches("<td class=\"bulkd-column\" valign=\"top\" ").count(), 2);
    let phone = inner.split_once("@media only screen and (max-width:480px){").unwrap().1.split("\n}").next().unwrap();
    assert!(phone.contains(".bulkd-column{display:block!important"), "{phone}");
}

#[test]
fn a_button_floats_beside_nothing_and_outlook_keeps_its_padding_and_the_widths() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    for align in ["left", "center", "right"] {
        let elements = json!([
            { "type": "action", "content": "Go", "href": "https://x.y", "align": align },
            { "type": "image", "src": "https://x.y/a.png", "width": "120px" },
            { "type": "image", "src": "https://x.y/b.png", "alt_text": "b", "width": "900" },
        ]);
        let (html, _) = email(&customer, elements, None);
        assert!(html.contains(&format!("<tr><td align=\"{align}\" style=\"padding:0 0 16px\"><table role")), "{html}");
        assert!(!html.contains("float") && !html.contains(&format!("<table role=\"presentation\" align=\"{align}\"")));
        for part in [
            "mso-padding-alt:10px 24px",
            "<!--[if mso]><table role=\"presentation\" width=\"600\"",
            "alt=\"\" width=\"120\"",
            "alt=\"b\" width=\"520\"",
        ] {
            assert!(html.contains(part), "no {part}");
        }
    }
}

#[test]
fn the_plain_text_says_what_the_html_does_with_the_footer_of_the_brand() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let elements = json!([
        { "type": "html", "content": "<table><tr><td>Tea</td><td>4&nbsp;&euro;</td></tr></table><a href=\"https://x.y/a\">All</a>" },
        { "type": "text", "format": "markdown", "content": "| a | b |\n|---|---|\n| 1 | [2](https://x.y/2) |" },
    ]);
    let words = "Tea | 4 €\n\nAll (https://x.y/a)\n\na | b\n1 | 2 (https://x.y/2)";
    assert_eq!(email(&customer, elements.clone(), None).1, words);
    let footer = json!({
        "content": "Acme, for you\n[Unsubscribe](https://acme.test/u)",
        "social": { "twitter": { "url": "https://t.test/acme" } },
    });
    let (html, text) = email(&customer, elements.clone(), Some(json!({ "email": { "footer": footer } })));
    let footer = "Acme, for you\nUnsubscribe (https://acme.test/u)\n\nTwitter: https://t.test/acme";
    assert_eq!(text, format!("{words}\n\n{footer}"));
    assert!(html.contains(">Unsubscribe</a>"));
    let own = json!({ "enabled": true, "footer": "<p>Acme <b>Corp</b></p><a href=\"https://acme.test\">Home</a>" });
    let (_, text) = email(&customer, elements, Some(json!({ "email": { "templateOverride": own } })));
    assert_eq!(text, format!("{words}\n\nAcme Corp\n\nHome (https://acme.test)"));
}

#[test]
fn colours_that_were_chosen_for_a_light_page_keep_the_email_light() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let own = |settings: Value| Some(json!({ "email": { "templateOverride": settings } }));
    let text = |color: &str| json!([{ "type": "text", "content": "x", "color": color }]);
    let action = json!([{ "type": "action", "content": "Go", "href": "https://x.y", "background_color": "#123456" }]);
    let cases = [
        (json!([{ "type": "text", "content": "x" }, { "type": "divider" }]), None, true),
        (action, None, true),
        (text("#ff8800"), None, true),
        (text("#222222"), None, false),
        (json!([{ "type": "html", "content": "<p style=\"background:#eee\">x</p>" }]), None, false),
        (
            json!([{ "type": "text", "content": "x" }]),
            own(json!({ "enabled": true, "backgroundColor": "#fff" })),
            false,
        ),
    ];
    for (elements, brand, is_dark_too) in cases {
        let (html, _) = email(&customer, elements.clone(), brand);
        let schemes = if is_dark_too { "light dark" } else { "light" };
        assert!(html.contains(&format!("<meta name=\"color-scheme\" content=\"{schemes}\">")), "{elements}");
        assert_eq!(html.contains("prefers-color-scheme:dark"), is_dark_too, "{elements}");
    }
}
