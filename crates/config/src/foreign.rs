//! Files of other programs, given to Pound by mistake: said in one sentence instead of in an error for each line.

use crate::directive;

/// What a text looks like, and the line (from 1) that shows it; `None` if it may be meant for Pound.
pub(crate) fn recognise(text: &str) -> Option<(&'static str, usize)> {
    let lines: Vec<&str> = text.lines().take(LINES_MAX).map(str::trim).collect();
    let first = lines.iter().position(|line| !line.is_empty() && !line.starts_with("//"))?;
    let start = lines[first];
    for (begin, what) in [
        ("-----BEGIN ", "a certificate or key (PEM)"),
        ("<?xml", "XML"),
        ("<!DOCTYPE", "a web page"),
        ("<!doctype", "a web page"),
        ("<html", "a web page"),
    ] {
        if start.starts_with(begin) {
            return Some((what, first + 1));
        }
    }
    let is_comment = |line: &str| line.is_empty() || line.starts_with('#');
    let word = |line: &str| line.split_whitespace().next().unwrap_or_default().to_ascii_lowercase();
    // A listener or a service is Pound's, whatever else went wrong.
    let ours = ["listenhttp", "listenhttps", "service", "urlgroup", "acl"];
    if lines.iter().any(|line| ours.contains(&&*word(line)) && !line.ends_with(['{', ';', ':'])) {
        return None;
    }
    if matches!(start, "{" | "[") || (start.starts_with(['{', '[']) && start.contains('"')) {
        let says = |line: &&str| line.trim_start_matches(['{', '[', ' ']).starts_with('"');
        if lines.iter().any(says) {
            return Some(("JSON", first + 1));
        }
    }
    let find = |tells: &dyn Fn(&str) -> bool| lines.iter().position(|line| !is_comment(line) && tells(line));
    let tag = |line: &str| {
        ["<VirtualHost", "<Directory", "<Location", "<IfModule", "<Proxy"]
            .iter()
            .any(|tag| line.starts_with(tag))
    };
    if let Some(at) =
        find(&|line| tag(line) || ["proxypass", "proxypassreverse", "loadmodule"].contains(&&*word(line)))
    {
        return Some(("a configuration of Apache httpd", at + 1));
    }
    let caddy = ["reverse_proxy", "file_server", "php_fastcgi", "handle_path", "tls internal"];
    if let Some(at) = find(&|line| caddy.iter().any(|word| line.starts_with(word)))
        && lines.iter().any(|line| line.ends_with('{'))
    {
        return Some(("a Caddyfile", at + 1));
    }
    let nginx = ["server", "http", "events", "location", "upstream", "stream", "map", "types"];
    let opens =
        |line: &str| line.ends_with('{') && nginx.contains(&word(line.trim_end_matches('{')).as_str());
    if let Some(at) = find(&|line| opens(line)).or_else(|| find(&|line| line.starts_with("proxy_pass "))) {
        return Some(("a configuration of nginx", at + 1));
    }
    let section = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        matches!(words[..], ["global" | "defaults"] | ["frontend" | "backend" | "listen", _])
    };
    let inside = |line: &str| {
        ["bind", "mode", "server", "default_backend", "balance", "option"].contains(&&*word(line))
    };
    if let Some(at) = find(&section)
        && find(&inside).is_some()
    {
        return Some(("a configuration of HAProxy", at + 1));
    }
    let table = |line: &str| line.starts_with('[') && line.ends_with(']') && line.len() > 2;
    let pair = |line: &str| {
        line.split_once('=').is_some_and(|(key, _)| {
            let key = key.trim();
            !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.\"".contains(&b))
        })
    };
    if let Some(at) = find(&table)
        && find(&pair).is_some()
    {
        return Some(("TOML, or an INI file", at + 1));
    }
    let key = |line: &str| {
        let line = line.trim_start_matches("- ");
        line.split_once(':').is_some_and(|(key, rest)| {
            (rest.is_empty() || rest.starts_with(' '))
                && !key.is_empty()
                && key.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.\"'".contains(&b))
                && directive::scopes(key).is_empty()
        })
    };
    let keys = lines.iter().filter(|line| !is_comment(line) && key(line)).count();
    if (start == "---" || keys >= 2) && keys > 0 {
        return find(&|line| line == "---" || key(line)).map(|at| ("YAML", at + 1));
    }
    None
}

/// Lines that are looked at: whatever a file is, it shows by then.
const LINES_MAX: usize = 500;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_other_programs_are_recognised() {
        for (what, text) in [
            (
                "nginx",
                "server {\n    listen 80;\n    location / {\n        proxy_pass http://127.0.0.1:8080;\n    }\n}\n",
            ),
            ("nginx", "# ours\nuser www-data;\nevents {\n}\nhttp {\n}\n"),
            ("nginx", "upstream app {\n  server 127.0.0.1:8080;\n}\n"),
            ("nginx", "location / { proxy_pass http://a; }\nproxy_pass http://a;\n"),
            (
                "Apache",
                "<VirtualHost *:80>\n    ServerName a\n    ProxyPass / http://127.0.0.1:8080/\n</VirtualHost>\n",
            ),
            ("Apache", "Listen 80\nProxyPass / http://127.0.0.1:8080/\n"),
            (
                "HAProxy",
                "global\n    daemon\ndefaults\n    mode http\nfrontend web\n    bind *:80\n    default_backend app\n",
            ),
            ("HAProxy", "listen web\n    bind :80\n    server a 10.0.0.1:80 check\n"),
            ("Caddyfile", "example.org {\n    reverse_proxy localhost:8080\n}\n"),
            ("YAML", "---\nhttp:\n  routers:\n    - rule: Host(`a`)\n"),
            ("YAML", "services:\n  web:\n    image: pound\n"),
            ("TOML", "# traefik\n[entryPoints]\n[entryPoints.web]\naddress = \":80\"\n"),
            ("JSON", "{\n  \"listen\": 80\n}\n"),
            ("JSON", "{\"listen\": 80}"),
            ("PEM", "-----BEGIN CERTIFICATE-----\nMIIB\n"),
            ("XML", "<?xml version=\"1.0\"?>\n<a/>\n"),
            ("web page", "<!DOCTYPE html>\n<title>x</title>\n"),
        ] {
            let found = recognise(text).unwrap_or_else(|| panic!("not recognised: {text}"));
            assert!(found.0.contains(what), "{text}: {found:?}");
        }
    }

    #[test]
    fn what_may_be_meant_for_pound_is_left_to_the_parser() {
        for text in [
            "",
            "# nothing\n",
            "ListenHTTP\n    Address 0.0.0.0\n    Port 80\nEnd\n",
            "ListenHTTP\nserver {\nproxy_pass http://a;\nEnd\n",
            "User \"www\"\nGroup \"www\"\nLogLevel 3\n",
            "Backend \"app\"\n    Address 10.0.0.1\nEnd\n",
            "Port: 80\nAddress: 10.0.0.1\n",
            "Host \"a\"\nBackend\n    Address 10.0.0.1\n    Port 80\nEnd\n",
            "10.0.0.0/8\n::1\n",
        ] {
            assert_eq!(recognise(text), None, "{text}");
        }
    }
}
