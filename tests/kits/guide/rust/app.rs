//! The application under test. Courier has no SDK for Rust, so it has a small client, which knows nothing of bulkd.

use serde_json::{Value, json};

pub struct Courier {
    pub base_url: String,
    pub api_key: String,
}

impl Courier {
    pub fn sign_up(&self, email: &str) -> Result<(), ureq::Error> {
        let body = "Your code is 482913. Or follow https://app.example/verify?t=1";
        let message = json!({ "to": { "email": email }, "content": { "title": "Welcome", "body": body } });
        self.post("/send", &format!("welcome {email}"), &json!({ "message": message })).map(drop)
    }

    pub fn weekly(&self, week: u32, addresses: &[String]) -> Result<String, ureq::Error> {
        let once = format!("week {week}");
        let content = json!({ "title": "Week {{week}}", "body": "Hello." });
        let message = json!({ "event": "weekly", "content": content, "data": { "week": week } });
        let job = self.post("/bulk", &once, &json!({ "message": message }))?;
        let job_id = job["jobId"].as_str().unwrap_or_default().to_owned();
        let user = |email: &String| json!({ "recipient": email, "profile": { "email": email } });
        let users: Vec<Value> = addresses.iter().map(user).collect();
        self.post(&format!("/bulk/{job_id}"), &once, &json!({ "users": users }))?;
        self.post(&format!("/bulk/{job_id}/run"), &once, &json!({}))?;
        Ok(job_id)
    }

    /// A request whose answer is lost is sent again. The key has that done once.
    fn post(&self, path: &str, once: &str, body: &Value) -> Result<Value, ureq::Error> {
        let send = || {
            ureq::post(format!("{}{path}", self.base_url))
                .header("Authorization", format!("Bearer {}", self.api_key))
                .header("Idempotency-Key", once)
                .send_json(body)
        };
        send().or_else(|_| send())?.body_mut().read_json()
    }
}
