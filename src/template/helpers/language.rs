//! What only the compiler can do.

use crate::template::call::{Form, Helper, Keyword};

pub const HELPERS: &[Helper] = &[
    Helper {
        name: "if",
        arguments: "value [includeZero=]",
        form: Form::Language(Keyword::If),
        about: "Shows what stands in it if the value is true and no empty list. With `includeZero=true` a zero is true.",
        source: "handlebarsjs.com/guide/builtin-helpers.html#if",
        checks: &[],
    },
    Helper {
        name: "unless",
        arguments: "value [includeZero=]",
        form: Form::Language(Keyword::Unless),
        about: "Shows what stands in it if `if` would not.",
        source: "handlebarsjs.com/guide/builtin-helpers.html#unless",
        checks: &[],
    },
    Helper {
        name: "each",
        arguments: "list",
        form: Form::Language(Keyword::Each),
        about: "Shows what stands in it for every item of a list or member of an object, which is `this`; \
                `@index`, `@key`, `@first` and `@last` say which it is.",
        source: "handlebarsjs.com/guide/builtin-helpers.html#each",
        checks: &[],
    },
    Helper {
        name: "with",
        arguments: "value",
        form: Form::Language(Keyword::With),
        about: "Shows what stands in it with the value as `this`, if there is one.",
        source: "handlebarsjs.com/guide/builtin-helpers.html#with",
        checks: &[],
    },
    Helper {
        name: "set",
        arguments: "\"name\" value",
        form: Form::Language(Keyword::Set),
        about: "From here on the name is that value, in `this` and at the top.",
        source: "docs/platform/content/template-designer/handlebars-helpers#set",
        checks: &[],
    },
];
