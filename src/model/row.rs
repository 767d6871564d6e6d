//! The numbers of the file's rows: a type for each table, so that none is taken for another's.

/// Hands all of these types to a macro.
macro_rules! row_numbers {
    ($take:ident) => {
        $take! {
            /// An environment.
            EnvironmentRow,
            /// A job.
            JobRow,
            /// A user of a job.
            UserNumber,
            /// A message.
            MessageNumber,
            /// Something that happened to a message after it was made.
            MessageEventRow,
            /// A template.
            TemplateRow,
            /// What was published of a template at some time.
            TemplateVersion,
            /// A brand.
            BrandRow,
            /// What a brand was at some time.
            BrandVersion,
            /// What a user's profile was at some time.
            ProfileVersion,
            /// A list of users.
            ListRow,
            /// A webhook.
            WebhookRow,
            /// An event in a webhook's queue.
            WebhookEventRow,
            /// An entry of the queue of what is delivered.
            DeliveryEntry,
        }
    };
}
pub(crate) use row_numbers;

macro_rules! define {
    ($($(#[$doc:meta])* $name:ident,)+) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
            pub struct $name(pub i64);

            impl std::fmt::Display for $name {
                fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    self.0.fmt(f)
                }
            }
        )+
    };
}
row_numbers!(define);
