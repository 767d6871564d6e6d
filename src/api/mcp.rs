//! The Model Context Protocol over HTTP: what a language model may do here. A tool is a route: its arguments are the
//! route's parameters and the members of its body, and its result is the route's answer.
//!
//! Two forms are spoken: the stateless one of 2026-07-28, in which every request describes itself, and the one before,
//! which begins with a handshake. Neither has a session.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};

use super::call::{Action, Answer, Call, header};
use super::openapi;
use super::route::Route;
use crate::error::{Result, shown};
use crate::http::{self, Method, Reply, Request, Response};

/// The tools, each with its route. Without a route there is no tool.
const TOOLS: [(&str, Method, &str); 8] = [
    ("status", Method::Get, "/_bulkd/status"),
    ("search_outbox", Method::Get, "/_bulkd/outbox"),
    ("get_message", Method::Get, "/_bulkd/outbox/{message_id}"),
    ("list_jobs", Method::Get, "/_bulkd/jobs"),
    ("wait", Method::Post, "/_bulkd/wait"),
    ("doctor", Method::Get, "/_bulkd/doctor"),
    ("add_fault", Method::Post, "/_bulkd/faults"),
    ("reset", Method::Post, "/_bulkd/reset"),
];

const STATELESS: &str = "2026-07-28";
/// The versions with a handshake, the newest first.
const WITH_HANDSHAKE: [&str; 3] = ["2025-11-25", "2025-06-18", "2025-03-26"];

const VERSION: &str = "io.modelcontextprotocol/protocolVersion";
const CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
const SERVER: &str = "io.modelcontextprotocol/serverInfo";

const INSTRUCTIONS: &str = "bulkd answers as Courier's Bulk API does and keeps every message in an outbox instead of sending \
                            it. Read /llms.txt for its routes.";

/// What is wrong with a request: its HTTP status in the stateless form, JSON-RPC's code, and details.
struct Fault {
    status: u16,
    code: i32,
    message: String,
    data: Option<Value>,
}

impl Fault {
    fn new(status: u16, code: i32, message: impl Into<String>) -> Self {
        Fault { status, code, message: message.into(), data: None }
    }

    fn mismatch(message: impl Into<String>) -> Self {
        Fault::new(400, -32020, message)
    }

    fn params(message: impl Into<String>) -> Self {
        Fault::new(400, -32602, message)
    }
}

/// `GET` and `DELETE /_bulkd/mcp`: 405. There are no streams and no sessions.
pub fn refuse() -> Answer {
    let body = json!({ "message": "expected POST: there are no sessions", "type": "invalid_request_error" });
    Answer::new(405, body.to_string())
}

/// `POST /_bulkd/mcp` with a JSON-RPC request: 200 and its response; 202 to a notification.
pub fn post(mut call: Call<'_>, routes: &'static [Route]) -> Result<Action> {
    let body = call.json()?;
    let sent = serde_json::from_str::<Value>(&body).ok();
    let Some(sent) = sent else {
        return answered(Value::Null, true, Err(Fault::new(400, -32700, "the body is not JSON")));
    };
    let id = sent.get("id").cloned().filter(|id| id.is_string() || id.is_i64() || id.is_u64());
    let method = sent.get("method").and_then(Value::as_str);
    let (Some(method), Some("2.0")) = (method, sent.get("jsonrpc").and_then(Value::as_str)) else {
        let fault = Fault::new(400, -32600, "expected one JSON-RPC 2.0 request, with an id and a method");
        return answered(id.unwrap_or_default(), true, Err(fault));
    };
    let Some(id) = id else {
        return match sent.get("id") {
            None => Action::reply(|_| Ok(http::json(202, "").into())),
            Some(_) => answered(Value::Null, true, Err(Fault::new(400, -32600, "id: expected a string or an integer"))),
        };
    };
    let none = Value::Object(Map::new());
    let params = sent.get("params").unwrap_or(&none);
    let version = header(&call.request, "MCP-Protocol-Version")?;
    let said = params.get("_meta").and_then(|meta| meta.get(VERSION));
    let is_stateless = said.is_some() || version.is_some_and(|version| !WITH_HANDSHAKE.contains(&version));
    if !params.is_object() {
        let found = crate::json::kind(&params.to_string());
        return answered(id, is_stateless, Err(Fault::params(format!("params: expected an object, found {found}"))));
    }
    if is_stateless && let Err(fault) = check(&call.request, version, method, params) {
        return answered(id, true, Err(fault));
    }
    let result = match method {
        "server/discover" if is_stateless => Ok(json!({
            "supportedVersions": supported(), "capabilities": { "tools": {} }, "instructions": INSTRUCTIONS,
            "ttlMs": 0, "cacheScope": "public",
        })),
        "initialize" if !is_stateless => {
            let wanted = params.get("protocolVersion").and_then(Value::as_str);
            let version = wanted.filter(|version| WITH_HANDSHAKE.contains(version)).unwrap_or(WITH_HANDSHAKE[0]);
            Ok(json!({
                "protocolVersion": version, "capabilities": { "tools": {} }, "serverInfo": server(),
                "instructions": INSTRUCTIONS,
            }))
        }
        "ping" if !is_stateless => Ok(json!({})),
        "tools/list" => {
            let tools: Vec<Value> = tools(routes).map(|(name, route)| described(name, route)).collect();
            Ok(match is_stateless {
                true => json!({ "tools": tools, "ttlMs": 0, "cacheScope": "public" }),
                false => json!({ "tools": tools }),
            })
        }
        "tools/call" => match within(&call.request, params, routes) {
            Ok(request) => {
                let then = move |response: Response| {
                    let reply = response_of(id, is_stateless, Ok(called(response)));
                    http::json(200, reply.to_string())
                };
                return Ok(Action::Forward(Box::new(request), Box::new(then)));
            }
            Err(fault) => Err(fault),
        },
        method => Err(Fault::new(404, -32601, format!("there is no method '{method}'"))),
    };
    answered(id, is_stateless, result)
}

fn supported() -> Vec<&'static str> {
    [STATELESS].into_iter().chain(WITH_HANDSHAKE).collect()
}

fn server() -> Value {
    json!({ "name": "bulkd", "version": env!("CARGO_PKG_VERSION") })
}

fn tools(routes: &'static [Route]) -> impl Iterator<Item = (&'static str, &'static Route)> {
    TOOLS.iter().filter_map(move |(name, method, path)| {
        let route = routes.iter().find(|route| route.method == *method && route.path == *path)?;
        Some((*name, route))
    })
}

fn described(name: &str, route: &Route) -> Value {
    let about = format!("{}: {}", route.about, route.answers.replace('`', ""));
    json!({ "name": name, "description": about, "inputSchema": openapi::arguments(route) })
}

/// What a request without a handshake says of itself must be there, and must be the same in its head and its body.
fn check(request: &Request, version: Option<&str>, method: &str, params: &Value) -> std::result::Result<(), Fault> {
    let meta = params.get("_meta").and_then(Value::as_object);
    let Some(said) = meta.and_then(|meta| meta.get(VERSION)).and_then(Value::as_str) else {
        return Err(Fault::params(format!("params._meta: expected '{VERSION}', a string")));
    };
    let expect = |name: &'static str, said: &str| match request.header(name) {
        None => Err(Fault::mismatch(format!("{name}: expected such a header"))),
        Some(found) if decoded(found).as_deref() != Some(said) => {
            Err(Fault::mismatch(format!("{name}: the header is not what stands in the body")))
        }
        Some(_) => Ok(()),
    };
    expect("MCP-Protocol-Version", said)?;
    if version != Some(STATELESS) {
        let data = json!({ "supported": supported(), "requested": said });
        return Err(Fault {
            data: Some(data),
            ..Fault::new(400, -32022, "this version of the protocol is not supported")
        });
    }
    if !meta.and_then(|meta| meta.get(CAPABILITIES)).is_some_and(Value::is_object) {
        return Err(Fault::params(format!("params._meta: expected '{CAPABILITIES}', an object")));
    }
    expect("Mcp-Method", method)?;
    match (method, params.get("name").and_then(Value::as_str)) {
        ("tools/call", Some(name)) => expect("Mcp-Name", name),
        _ => Ok(()),
    }
}

/// A header's value. What is not plain text comes in base64.
fn decoded(value: &str) -> Option<String> {
    match value.strip_prefix("=?base64?").and_then(|rest| rest.strip_suffix("?=")) {
        Some(text) => String::from_utf8(BASE64_STANDARD.decode(text).ok()?).ok(),
        None => Some(value.to_owned()),
    }
}

/// The request that a tool call stands for.
fn within(request: &Request, params: &Value, routes: &'static [Route]) -> std::result::Result<Request, Fault> {
    let name = match params.get("name") {
        Some(Value::String(name)) => name.as_str(),
        found => {
            let found = found.map_or("none", |found| crate::json::kind(&found.to_string()));
            return Err(Fault::params(format!("params.name: expected the name of a tool, a string, found {found}")));
        }
    };
    let (_, route) = tools(routes)
        .find(|(known, _)| *known == name)
        .ok_or_else(|| Fault::params(format!("params.name: there is no tool '{}'", shown(name))))?;
    let mut arguments = match params.get("arguments") {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(arguments)) => arguments.clone(),
        Some(_) => return Err(Fault::params("arguments: expected an object")),
    };
    let known = openapi::arguments(route);
    for (argument, value) in &arguments {
        if let Some(expected) = known["properties"].get(argument).and_then(|schema| mismatch(schema, value)) {
            let found = crate::json::kind(&value.to_string());
            return Err(Fault::params(format!("arguments.{}: expected {expected}, found {found}", shown(argument))));
        }
    }
    let encoded = |value: &Value| {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        utf8_percent_encode(&text, NON_ALPHANUMERIC).to_string()
    };
    let mut target = String::new();
    for part in route.path.split('/').skip(1) {
        target.push('/');
        match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
            None => target.push_str(part),
            Some(name) => match arguments.remove(name).map(|value| encoded(&value)).filter(|value| !value.is_empty()) {
                Some(value) => target.push_str(&value),
                None => return Err(Fault::params(format!("arguments: expected '{name}'"))),
            },
        }
    }
    let mut separator = '?';
    for name in route.query {
        if let Some(value) = arguments.remove(*name).filter(|value| !value.is_null()) {
            target.push(separator);
            target.push_str(&format!("{name}={}", encoded(&value)));
            separator = '&';
        }
    }
    let body = match (route.body.is_empty(), arguments.keys().next()) {
        (true, Some(unknown)) => {
            return Err(Fault::params(format!("arguments: the tool '{name}' takes no '{unknown}'")));
        }
        (true, None) => Vec::new(),
        (false, _) => Value::Object(arguments).to_string().into_bytes(),
    };
    request.within(&route.method, &target, body).map_err(|error| Fault::params(error.to_string()))
}

/// What a schema expects instead of a value, judged by its type or its names. The route checks what lies deeper.
fn mismatch(schema: &Value, value: &Value) -> Option<String> {
    if value.is_null() {
        return None;
    }
    if let Some(schemas) = schema.get("anyOf").and_then(Value::as_array) {
        // A schema, and then what means none.
        return schemas.first().and_then(|it| mismatch(it, value));
    }
    if let Some(names) = schema.get("enum").and_then(Value::as_array) {
        let is_known =
            names.contains(value) || value.as_bool().is_some_and(|it| names.contains(&json!(it.to_string())));
        let names = names
            .iter()
            .filter(|name| !name.is_null() && **name != "")
            .map(|name| name.as_str().map_or_else(|| name.to_string(), str::to_owned));
        return (!is_known).then(|| format!("one of {}", names.collect::<Vec<_>>().join(", ")));
    }
    let types: Vec<&str> = match schema.get("type") {
        Some(Value::String(one)) => vec![one.as_str()],
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
        _ => return None,
    };
    let is = |name: &&str| match *name {
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => true,
    };
    let named = |name: &&str| {
        if name.starts_with(['a', 'e', 'i', 'o', 'u']) { format!("an {name}") } else { format!("a {name}") }
    };
    let expected: Vec<String> = types.iter().filter(|name| **name != "null").map(named).collect();
    (!types.iter().any(|name| *name != "null" && is(name))).then(|| expected.join(" or "))
}

/// The result of a tool: what its route has answered.
fn called(response: Response) -> Value {
    let status = response.status_code().0;
    let text = response.into_reader().to_text();
    let text = if text.is_empty() { format!("done ({status})") } else { text };
    let mut result = json!({ "content": [{ "type": "text", "text": text }], "isError": status >= 400 });
    if let Ok(value @ Value::Object(_)) = serde_json::from_str::<Value>(&text) {
        result["structuredContent"] = value;
    }
    result
}

fn response_of(id: Value, is_stateless: bool, result: std::result::Result<Value, Fault>) -> Value {
    match result {
        Ok(mut result) => {
            if is_stateless {
                result["resultType"] = "complete".into();
                result["_meta"] = json!({ SERVER: server() });
            }
            json!({ "jsonrpc": "2.0", "id": id, "result": result })
        }
        Err(Fault { code, message, data, .. }) => {
            let mut error = json!({ "code": code, "message": message });
            if let Some(data) = data {
                error["data"] = data;
            }
            json!({ "jsonrpc": "2.0", "id": id, "error": error })
        }
    }
}

/// With a handshake, an error of the protocol is an answer like any other.
fn answered(id: Value, is_stateless: bool, result: std::result::Result<Value, Fault>) -> Result<Action> {
    let status = result.as_ref().err().filter(|_| is_stateless).map_or(200, |fault| fault.status);
    let body = response_of(id, is_stateless, result).to_string();
    Action::reply(move |_| {
        let response = http::json(status, body);
        Ok(Reply::Answer(if status >= 400 { http::final_refusal(response) } else { response }))
    })
}
