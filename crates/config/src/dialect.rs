//! Words of older Pounds that the language of 4.x no longer has, and what to write today.
//!
//! Spellings that 4.x still understands are rows of the directive table (`Standing::Deprecated`). These here are
//! refused, but with a message that helps.

use crate::directive::Scope;
use crate::lex::Word;

/// A word of the past.
pub(crate) struct Gone {
    pub(crate) word: &'static str,
    /// Where it stood; `None` for anywhere.
    pub(crate) scope: Option<Scope>,
    /// The generation of Pound that had it.
    pub(crate) generation: &'static str,
    pub(crate) advice: &'static str,
    /// The word that ended its block, if it had one.
    pub(crate) end: Option<&'static str>,
}

/// Finds a word, in any case.
pub(crate) fn gone(scope: Scope, word: &str) -> Option<&'static Gone> {
    GONE.iter()
        .find(|gone| gone.word.eq_ignore_ascii_case(word) && gone.scope.is_none_or(|stood| stood == scope))
}

/// The block that a line of Pound 1.x should be today, if it is one of those that have become blocks.
pub(crate) fn one_line(directive: &str, arguments: &[Word]) -> Option<String> {
    let first = arguments.first().filter(|word| !word.quoted)?;
    // An address of the Web is what other proxies have here.
    let (scheme, rest) = first.text.split_once("://").unwrap_or(("", &first.text));
    let tls = scheme.eq_ignore_ascii_case("https");
    let is_url = tls || scheme.eq_ignore_ascii_case("http");
    let text = if is_url { rest.split(['/', '?', '#']).next().unwrap_or_default() } else { &*first.text };
    let mut parts = text.split(',');
    let mut host = parts.next().unwrap_or_default();
    let mut port = parts.next();
    // Not that any Pound had it so, but everybody else has. An address of IPv6 alone has more than one colon.
    if port.is_none()
        && let Some((before, after)) = host.rsplit_once(':')
        && (!before.contains(':') || before.ends_with(']'))
    {
        (host, port) = (before.trim_start_matches('[').trim_end_matches(']'), Some(after));
    }
    let host = match host.trim_start_matches('[').trim_end_matches(']') {
        "*" | "" => "0.0.0.0",
        host => host,
    };
    let port = port.unwrap_or(if tls || directive == "ListenHTTPS" { "443" } else { "80" });
    match directive {
        "ListenHTTP" | "ListenHTTPS" if first.text.contains([',', '.', ':', '*']) => {
            Some(format!("{directive}\n    Address {host}\n    Port {port}\nEnd"))
        }
        // A name may have a colon in it, and hardly a dot before it.
        "Backend" if is_url => {
            let tls = if tls { "\n    HTTPS" } else { "" };
            Some(format!("Backend\n    Address {host}\n    Port {port}{tls}\nEnd"))
        }
        "Backend" if text.contains(',') || (text.contains(':') && host.contains(['.', ':'])) => {
            let priority = parts.next().unwrap_or("5");
            Some(format!("Backend\n    Address {host}\n    Port {port}\n    Priority {priority}\nEnd"))
        }
        "Session" => {
            let (id, ttl) = match arguments {
                [_, ttl] => (None, ttl),
                [_, id, ttl] => (Some(id), ttl),
                _ => return None,
            };
            let id = id.map(|id| format!("    ID {:?}\n", id.text)).unwrap_or_default();
            Some(format!("Session\n    Type {}\n{id}    TTL {}\nEnd", first.text, ttl.text))
        }
        _ => None,
    }
}

/// All of them, for the manual.
pub(crate) fn all() -> &'static [Gone] {
    GONE
}

const GROUP: &str = "write a Service with the pattern as its URL condition";

const fn global(word: &'static str, advice: &'static str) -> Gone {
    Gone { word, scope: Some(Scope::Global), generation: "1.x", advice, end: None }
}

static GONE: &[Gone] = &[
    Gone { word: "UrlGroup", scope: None, generation: "1.x", advice: GROUP, end: Some("EndGroup") },
    Gone { word: "EndGroup", scope: None, generation: "1.x", advice: "a block ends with End", end: None },
    Gone {
        word: "HAport",
        scope: None,
        generation: "2.x",
        advice: "leave it out: a dead back-end is tried again on its own port every Alive seconds",
        end: None,
    },
    Gone {
        word: "DynScale",
        scope: None,
        generation: "2.3 to 2.7",
        advice: "leave it out: priorities do not change by themselves any more",
        end: None,
    },
    Gone { word: "Change30x", scope: None, generation: "2.0", advice: "write RewriteLocation", end: None },
    global("ExtendedHTTP", "write xHTTP 1 in ListenHTTP"),
    global("WebDAV", "write xHTTP 2 in ListenHTTP"),
    Gone {
        word: "WebDAV",
        scope: Some(Scope::Listener),
        generation: "2.0 and 2.1",
        advice: "write xHTTP 2",
        end: None,
    },
    global("HTTPSHeaders", "write ClientCert and SetHeader in ListenHTTPS"),
    global("Server", "write TimeOut"),
    global("NoDaemon", "write Daemon no, or start pound with -F"),
    global("RewriteRedirect", "write RewriteLocation in ListenHTTP"),
    global("MaxRequest", "write it in ListenHTTP"),
    global("HeadRemove", "write DeleteHeader in ListenHTTP"),
    global("Err414", "write ErrorFile 414 in ListenHTTP"),
    global("Err500", "write ErrorFile 500 in ListenHTTP"),
    global("Err501", "write ErrorFile 501 in ListenHTTP"),
    global("Err503", "write ErrorFile 503 in ListenHTTP"),
    global("CAlist", "write it in ListenHTTPS"),
    global("VerifyList", "write it in ListenHTTPS"),
    global("NoHTTPS11", "leave it out: it was for browsers of 2003"),
    global("ListenStatusText", "it belonged to a patch of 1.9"),
    global("ListenStatusHTTP", "it belonged to a patch of 1.9"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backend_that_is_named_by_a_url_is_told_as_a_block() {
        for (text, block) in [
            ("http://127.0.0.1:8001", "Backend\n    Address 127.0.0.1\n    Port 8001\nEnd"),
            ("http://localhost:8001/x", "Backend\n    Address localhost\n    Port 8001\nEnd"),
            ("HTTP://[::1]:8001", "Backend\n    Address ::1\n    Port 8001\nEnd"),
            ("http://app.test", "Backend\n    Address app.test\n    Port 80\nEnd"),
            ("https://app.test/", "Backend\n    Address app.test\n    Port 443\n    HTTPS\nEnd"),
        ] {
            let file = format!("ListenHTTP\nAddress 127.0.0.1\nPort 80\nService\nBackend {text}\nEnd\nEnd\n");
            let (_, said) = crate::load_text("pound.cfg", &file, &crate::Options::default());
            let help = block.replace('\n', "\n          ");
            let said = said.render(false);
            assert!(said.contains(&help), "{text}: {said}");
        }
    }

    #[test]
    fn nothing_that_is_gone_is_in_the_table() {
        for gone in all() {
            for scope in Scope::ALL.iter().filter(|scope| gone.scope.is_none_or(|stood| stood == **scope)) {
                assert!(crate::directive::find(*scope, gone.word).is_none(), "{}", gone.word);
            }
        }
    }
}
