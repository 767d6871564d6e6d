//! The Model Context Protocol: the stateless form, and the one with a handshake.

use serde_json::Value;

use crate::support::{Customer, Daemon, Reply, json, newsletter, readers};

const MCP: &str = "/_bulkd/mcp";

/// A request that says what it is.
fn stateless(customer: &Customer, method: &str, params: Value) -> Reply {
    let mut params = params;
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {},
    });
    let mut asking = customer.with_header("MCP-Protocol-Version", "2026-07-28").with_header("Mcp-Method", method);
    if let Some(name) = params["name"].as_str() {
        asking = asking.with_header("Mcp-Name", name);
    }
    asking.post(MCP, &json!({ "jsonrpc": "2.0", "id": 7, "method": method, "params": params }))
}

#[track_caller]
fn result(reply: &Reply) -> Value {
    let body = reply.ok(200);
    assert_eq!((&body["jsonrpc"], &body["id"], body.get("error")), (&json!("2.0"), &json!(7), None), "{reply:?}");
    body["result"].clone()
}

#[track_caller]
fn refused(reply: &Reply, status: u16) -> i64 {
    assert_eq!(reply.status, status, "{reply:?}");
    reply.json()["error"]["code"].as_i64().unwrap()
}

#[test]
fn tools_are_routes() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let discovered = result(&stateless(&customer, "server/discover", json!({})));
    assert_eq!(discovered["supportedVersions"][0], "2026-07-28");
    assert_eq!(discovered["resultType"], "complete");
    assert_eq!(discovered["_meta"]["io.modelcontextprotocol/serverInfo"]["name"], "bulkd");
    let listed = result(&stateless(&customer, "tools/list", json!({})));
    let tools = listed["tools"].as_array().unwrap();
    let tool = |name: &str| tools.iter().find(|tool| tool["name"] == name).unwrap();
    assert_eq!(tool("get_message")["inputSchema"]["required"], json!(["message_id"]));
    assert!(tool("search_outbox")["inputSchema"]["properties"]["recipient"].is_object());
    assert!(!listed.to_string().contains("$ref"), "{listed}");
    for (name, members) in [("wait", ["job_id", "outbox", "timeout_ms"]), ("add_fault", ["preset", "path", "status"])] {
        for member in members {
            assert!(tool(name)["inputSchema"]["properties"][member].is_object(), "{name} {member}");
        }
    }

    let job_id = customer.create(newsletter());
    customer.ingest(&job_id, readers(0, 3));
    customer.run_to_the_end(&job_id);
    let call = |name: &str, arguments: Value| {
        result(&stateless(&customer, "tools/call", json!({ "name": name, "arguments": arguments })))
    };
    let status = call("status", json!({}));
    assert_eq!(status["structuredContent"]["jobs"], json!({ "COMPLETED": 1 }));
    assert_eq!(status["structuredContent"]["users"]["enqueued"], 3);
    let found = call("search_outbox", json!({ "job_id": job_id, "recipient": "reader-1" }));
    let item = &found["structuredContent"]["items"][0];
    assert_eq!((&item["recipient"], &found["isError"]), (&json!("reader-1"), &json!(false)));
    assert_eq!(found["content"][0]["type"], "text");
    let message = call("get_message", json!({ "message_id": item["message_id"] }));
    assert_eq!(message["structuredContent"]["recipient"], "reader-1");
    let missing = call("get_message", json!({ "message_id": "no/such?message" }));
    assert_eq!(missing["isError"], true);
    // What is not of the type that its schema says is named.
    for (name, arguments, message) in [
        ("search_outbox", json!({ "limit": "ten" }), "arguments.limit: expected an integer, found a string"),
        ("search_outbox", json!({ "channel": "fax" }), "arguments.channel: expected one of direct_message, email, "),
        ("get_message", json!({ "message_id": 5 }), "arguments.message_id: expected a string, found a number"),
        ("wait", json!({ "outbox": "ada" }), "arguments.outbox: expected an object, found a string"),
        (
            "add_fault",
            json!({ "path": "/send", "status": "503" }),
            "arguments.status: expected an integer, found a string",
        ),
        ("status", json!({ "verbose": true }), "arguments: the tool 'status' takes no 'verbose'"),
    ] {
        let reply = stateless(&customer, "tools/call", json!({ "name": name, "arguments": arguments }));
        assert_eq!(refused(&reply, 400), -32602, "{name} {arguments}");
        let told = reply.json()["error"]["message"].as_str().unwrap().to_owned();
        assert!(told.starts_with(message), "{told}");
    }
    call("search_outbox", json!({ "limit": 1, "channel": null }));
    call("reset", json!({}));
    assert_eq!(call("status", json!({}))["structuredContent"]["jobs"], json!({}));
}

#[test]
fn a_client_with_a_handshake_is_served_as_well() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let ask = |method: &str, params: Value| {
        customer.post(MCP, &json!({ "jsonrpc": "2.0", "id": 7, "method": method, "params": params }))
    };
    let begun = result(&ask("initialize", json!({ "protocolVersion": "2025-06-18", "capabilities": {} })));
    assert_eq!(begun["protocolVersion"], "2025-06-18");
    assert_eq!(begun["serverInfo"]["name"], "bulkd");
    let unknown = result(&ask("initialize", json!({ "protocolVersion": "1999-01-01", "capabilities": {} })));
    assert_eq!(unknown["protocolVersion"], "2025-11-25");
    let told = customer.post(MCP, &json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }));
    assert_eq!((told.status, told.text.as_str()), (202, ""));
    assert_eq!(result(&ask("ping", json!({}))), json!({}));
    let customer = customer.with_header("MCP-Protocol-Version", "2025-06-18");
    let called = customer
        .post(MCP, &json!({ "jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": { "name": "status" } }));
    assert_eq!(result(&called).get("resultType"), None);
    // An error of the protocol is no failure of HTTP's.
    assert_eq!(refused(&ask("no/such", json!({})), 200), -32601);
    assert_eq!(customer.get(MCP).status, 405);
    assert_eq!(customer.delete(MCP).status, 405);
}

#[test]
fn what_head_and_body_say_has_to_be_the_same() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    assert_eq!(refused(&stateless(&customer, "no/such", json!({})), 404), -32601);
    assert_eq!(refused(&stateless(&customer, "tools/call", json!({ "name": "no" })), 400), -32602);
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {},
    });
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": { "_meta": meta } });
    let with = |headers: &[(&str, &str)], body: &Value| {
        let asking = headers.iter().fold(customer.clone(), |it, (name, value)| it.with_header(name, value));
        asking.post(MCP, body)
    };
    let version = ("MCP-Protocol-Version", "2026-07-28");
    assert_eq!(refused(&with(&[], &body), 400), -32020);
    assert_eq!(refused(&with(&[version], &body), 400), -32020);
    assert_eq!(refused(&with(&[version, ("Mcp-Method", "ping")], &body), 400), -32020);
    assert_eq!(with(&[version, ("Mcp-Method", "=?base64?dG9vbHMvbGlzdA==?=")], &body).status, 200);
    let mut later = body.clone();
    later["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"] = json!("2099-01-01");
    let reply = with(&[("MCP-Protocol-Version", "2099-01-01"), ("Mcp-Method", "tools/list")], &later);
    assert_eq!(refused(&reply, 400), -32022);
    assert_eq!(reply.json()["error"]["data"]["requested"], "2099-01-01");
    for malformed in [json!([]), json!({ "jsonrpc": "2.0", "id": null, "method": "ping" }), json!({ "id": 1 })] {
        assert_eq!(refused(&customer.post(MCP, &malformed), 400), -32600, "{malformed}");
    }
    // As everywhere, a key is needed, and a page of another site does not get in, also where keys are named.
    customer.without_key().post(MCP, &body).refused(401);
    customer.with_header("Origin", "https://evil.test").post(MCP, &body).refused(403);
    let named = Daemon::start_with(|config| config.api_keys = vec!["acme".to_owned()]);
    let customer = named.customer("acme");
    for origin in ["https://evil.test", "null"] {
        customer.with_header("Origin", origin).post(MCP, &body).refused(403);
        customer.with_header("Origin", origin).get("/_bulkd/health").refused(403);
        customer.with_header("Origin", origin).get("/lists").ok(200);
    }
    assert_eq!(customer.with_header("Origin", "http://localhost:3000").get("/_bulkd/health").status, 200);
}

#[test]
fn a_call_without_the_name_of_a_tool_is_refused_by_its_parameter() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    for (params, message) in [
        (json!({}), "params.name: expected the name of a tool, a string, found none"),
        (json!({ "arguments": {} }), "params.name: expected the name of a tool, a string, found none"),
        (json!({ "name": 5 }), "params.name: expected the name of a tool, a string, found a number"),
        (json!({ "name": null }), "params.name: expected the name of a tool, a string, found null"),
        (json!({ "name": "" }), "params.name: there is no tool ''"),
        (json!({ "name": "send" }), "params.name: there is no tool 'send'"),
    ] {
        let reply = stateless(&customer, "tools/call", params.clone());
        assert_eq!(refused(&reply, 400), -32602, "{params}");
        assert_eq!(reply.json()["error"]["message"], message, "{params}");
        let asked = json!({ "jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params });
        let reply = customer.with_header("MCP-Protocol-Version", "2025-11-25").post(MCP, &asked);
        assert_eq!((refused(&reply, 200), &reply.json()["error"]["message"]), (-32602, &json!(message)));
    }
    let asked = json!({ "jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": [1] });
    let reply = customer.post(MCP, &asked);
    assert_eq!(
        (refused(&reply, 200), reply.json()["error"]["message"].clone()),
        (-32602, json!("params: expected an object, found an array"))
    );
}

#[test]
fn tools_say_the_bounds_by_which_their_routes_go() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let listed = result(&stateless(&customer, "tools/list", json!({})));
    let of = |tool: &str, path: &str| {
        let tool = listed["tools"].as_array().unwrap().iter().find(|it| it["name"] == tool).unwrap().clone();
        tool["inputSchema"]["properties"].pointer(path).cloned()
    };
    let call = |name: &str, arguments: Value| {
        result(&stateless(&customer, "tools/call", json!({ "name": name, "arguments": arguments })))["isError"].clone()
    };
    for (tool, path, expected) in [
        ("search_outbox", "/limit/anyOf/0/maximum", json!(1_000)),
        ("wait", "/timeout_ms/maximum", json!(60_000)),
        ("wait", "/outbox/maxProperties", json!(50)),
        ("add_fault", "/status/minimum", json!(200)),
        ("add_fault", "/status/maximum", json!(599)),
        ("add_fault", "/delay_ms/maximum", json!(600_000)),
        ("add_fault", "/percent/minimum", json!(1)),
        ("add_fault", "/percent/maximum", json!(100)),
        ("add_fault", "/preset/enum/0", json!("rate-limited")),
    ] {
        assert_eq!(of(tool, path), Some(expected), "{tool} {path}");
    }
    // The routes go by the same.
    for (name, value, is_error) in [
        ("status", 199, true),
        ("status", 200, false),
        ("status", 599, false),
        ("status", 600, true),
        ("delay_ms", 0, true),
        ("delay_ms", 600_000, false),
        ("delay_ms", 600_001, true),
    ] {
        assert_eq!(call("add_fault", json!({ "path": "/send", name: value })), json!(is_error), "{name} {value}");
    }
    for (limit, is_error) in [(0, true), (1_000, false), (1_001, true)] {
        assert_eq!(call("search_outbox", json!({ "limit": limit })), json!(is_error), "{limit}");
    }
}
