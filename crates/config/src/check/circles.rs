//! Back-ends that are listeners of the same file, where requests come back to where they came in.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use plan::{BackendAddress, ListenAddress, Service, Target};

use super::holds_always;
use crate::diagnostic::Diagnostic;
use crate::lower::Lowering;

/// A listener in front of another one is in order (TLS here, the rules there) as long as no way leads back.
pub(crate) fn circles(cx: &mut Lowering<'_>) {
    let listeners = cx.listeners();
    // By the number of the back-end: the listener that it is.
    let targets: Vec<Option<usize>> = cx
        .placed_backends()
        .map(|(backend, _)| {
            let is_it = |address| !backend.disabled && leads_to(&backend.address, address);
            listeners.iter().position(|finished| is_it(&finished.listener.address))
        })
        .collect();
    if targets.iter().all(Option::is_none) {
        return;
    }
    // By the number of the listener: the back-ends that lead to a listener, and that one.
    let ways: Vec<Vec<(usize, usize)>> = listeners
        .iter()
        .map(|finished| {
            let own = finished.listener.services.iter().map(AsRef::as_ref);
            let services = own.chain(cx.global_services().iter().map(|(service, _)| &**service));
            ways(services, &targets)
        })
        .collect();
    let mut found = Vec::new();
    for (backend, (_, place)) in cx.placed_backends().enumerate() {
        let Some(target) = targets[backend] else { continue };
        let mut origins = (0..ways.len()).filter(|&from| ways[from].contains(&(backend, target)));
        let Some(origin) = origins.find(|&from| reaches(target, from, &ways)) else { continue };
        let message = if origin == target {
            "this back-end is the listener that its requests come from"
        } else {
            "this back-end is a listener from which requests come back here"
        };
        found.push(
            Diagnostic::warning(place, message)
                .label("such a request goes round, and is answered with 508 (E-LOOP) in the end")
                .related(listeners[target].span, "the listener that it is")
                .help("correct Address or Port, unless conditions see to it that no request goes round"),
        );
    }
    found.into_iter().for_each(|diagnostic| cx.push(diagnostic));
}

/// The back-ends that lead to a listener, of the services that requests can reach.
fn ways<'a>(services: impl Iterator<Item = &'a Service>, targets: &[Option<usize>]) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    for service in services.filter(|service| !service.disabled) {
        if let Target::Backends(set) = &service.target {
            let members = set.groups.iter().flat_map(|group| &group.members).map(|member| member.backend.id);
            found.extend(members.filter_map(|backend| Some((backend, targets[backend]?))));
        }
        if holds_always(&service.condition) {
            break;
        }
    }
    found
}

/// Whether a way leads from one listener to another, or is there already.
fn reaches(from: usize, to: usize, ways: &[Vec<(usize, usize)>]) -> bool {
    let mut seen = vec![false; ways.len()];
    let mut next = vec![from];
    while let Some(listener) = next.pop() {
        if listener == to {
            return true;
        }
        if !std::mem::replace(&mut seen[listener], true) {
            next.extend(ways[listener].iter().map(|&(_, target)| target));
        }
    }
    false
}

/// Whether a connection to this back-end comes out at that listener, as far as the text alone says so: which addresses and
/// names this machine has is known when it starts.
fn leads_to(backend: &BackendAddress, listener: &ListenAddress) -> bool {
    let (port, hosts, name) = match backend {
        BackendAddress::Inet(ip, port) => (*port, vec![*ip], None),
        BackendAddress::Name(name, port) => (*port, addresses(name), Some(name)),
        BackendAddress::Unix(path) => return matches!(listener, ListenAddress::Unix(door) if door == path),
    };
    match listener {
        ListenAddress::Inet(door) => {
            door.port() == port && hosts.iter().any(|host| takes(door.ip(), host.to_canonical()))
        }
        ListenAddress::Name(door, door_port) => {
            let same = name.is_some_and(|name| plain(name).eq_ignore_ascii_case(plain(door)));
            let doors = addresses(door);
            let meet = || doors.iter().any(|&door| hosts.iter().any(|host| takes(door, host.to_canonical())));
            *door_port == port && (same || meet())
        }
        ListenAddress::Unix(_) | ListenAddress::Received(_) => false,
    }
}

fn plain(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

/// The addresses of the one name that is the same everywhere (RFC 6761 section 6.3).
fn addresses(name: &str) -> Vec<IpAddr> {
    if plain(name).eq_ignore_ascii_case("localhost") {
        vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]
    } else {
        Vec::new()
    }
}

/// Whether who listens on `door` takes a connection to `host`.
fn takes(door: IpAddr, host: IpAddr) -> bool {
    let all = door.is_unspecified();
    let door = door.to_canonical();
    // A connection to the unspecified address reaches the loopback one.
    if host.is_unspecified() {
        return all || door.is_loopback();
    }
    // `::` takes clients of IPv4 as well, but not the other way round.
    door == host || all && host.is_loopback() && (door.is_ipv6() || host.is_ipv4())
}

#[cfg(test)]
mod tests {
    /// Where `-c` warns, by the line of the back-end's address.
    fn warned(text: &str) -> Vec<String> {
        let (plan, diagnostics) = crate::load_text("t", text, &crate::Options::default());
        let told = diagnostics.render(false);
        assert!(plan.is_some(), "{told}");
        let lines: Vec<&str> = told.lines().collect();
        let about = |line: &&str| line.contains("this back-end is");
        assert_eq!(
            lines.iter().filter(|line| line.starts_with("warning") && !about(line)).count(),
            0,
            "{told}"
        );
        lines.into_iter().filter(about).map(str::to_owned).collect()
    }

    fn listener(address: &str, port: u16, services: &str) -> String {
        let port = if address.contains('/') { String::new() } else { format!("Port {port}\n") };
        format!("ListenHTTP\nAddress {address}\n{port}{services}End\n")
    }

    fn to(address: &str, port: u16) -> String {
        let port = if address.contains('/') { String::new() } else { format!("Port {port}\n") };
        format!("Service\nBackend\nAddress {address}\n{port}End\nEnd\n")
    }

    #[test]
    fn a_back_end_that_is_its_own_listener_is_warned_of() {
        for (door, backend) in [
            ("127.0.0.1", "127.0.0.1"),
            ("127.0.0.1", "localhost"),
            ("127.0.0.1", "0.0.0.0"),
            ("0.0.0.0", "127.0.0.1"),
            ("0.0.0.0", "127.3.2.1"),
            ("0.0.0.0", "LocalHost"),
            ("0.0.0.0", "0.0.0.0"),
            ("::", "127.0.0.1"),
            ("::", "::1"),
            ("::1", "::1"),
            ("::1", "localhost"),
            ("localhost", "127.0.0.1"),
            ("www.example.org", "WWW.example.org"),
            ("192.0.2.7", "192.0.2.7"),
            ("/run/pound.sock", "/run/pound.sock"),
        ] {
            let text = listener(door, 8080, &to(backend, 8080));
            assert_eq!(warned(&text).len(), 1, "{door} {backend}");
            if !door.contains('/') {
                assert!(warned(&listener(door, 8080, &to(backend, 8081))).is_empty(), "{door} {backend}");
            }
        }
        for (door, backend) in [("127.0.0.1", "127.0.0.2"), ("0.0.0.0", "::1"), ("0.0.0.0", "192.0.2.7")] {
            assert!(warned(&listener(door, 8080, &to(backend, 8080))).is_empty(), "{door} {backend}");
        }
    }

    #[test]
    fn a_circle_through_several_listeners_is_warned_of_at_each_back_end() {
        let text = [
            listener("127.0.0.1", 8080, &to("127.0.0.1", 8081)),
            listener("127.0.0.1", 8081, &to("127.0.0.1", 8082)),
            listener("127.0.0.1", 8082, &to("127.0.0.1", 8080)),
        ];
        assert_eq!(warned(&text.concat()).len(), 3);
        let shared = listener("127.0.0.1", 8080, "") + &to("127.0.0.1", 8080);
        assert_eq!(warned(&shared).len(), 1);
        let named = format!(
            "Backend \"b\"\nAddress ::1\nPort 80\nEnd\n{}",
            listener("::", 80, "Service\nUseBackend \"b\"\nEnd\n")
        );
        assert_eq!(warned(&named).len(), 1);
        let emergency = to("127.0.0.1", 9)
            .replace("End\nEnd\n", "End\nEmergency\nAddress 127.0.0.1\nPort 80\nEnd\nEnd\n");
        assert_eq!(warned(&listener("0.0.0.0", 80, &emergency)).len(), 1);
    }

    #[test]
    fn a_listener_in_front_of_another_one_is_in_order() {
        let text = listener("127.0.0.1", 8080, &to("127.0.0.1", 8081))
            + &listener("127.0.0.1", 8081, &to("127.0.0.1", 9));
        assert!(warned(&text).is_empty());
        // What takes every request leaves none for the services behind it.
        let taken = listener("127.0.0.1", 8080, "Service\nSuccess\nEnd\n") + &listener("127.0.0.1", 8081, "");
        assert!(warned(&(taken + &to("127.0.0.1", 8080))).is_empty());
    }
}
