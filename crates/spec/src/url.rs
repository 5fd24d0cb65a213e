//! The URL of a cluster.

use transship_model::access::HostPort;

/// The port of the PostgreSQL wire.
const PORT: u16 = 5432;

/// A URL of a cluster, taken apart and decoded.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct ClusterUrl {
    pub(crate) user: String,
    pub(crate) password: Option<Password>,
    pub(crate) address: HostPort,
}

/// A password within a URL.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Password {
    pub(crate) decoded: String,
    /// As it stood in the URL, percent-encoded or not.
    pub(crate) written: String,
}

/// Takes a URL apart. An error says what is wrong without repeating anything of the URL, which may hold a password.
pub(crate) fn parse(text: &str) -> Result<ClusterUrl, &'static str> {
    let rest = (text.strip_prefix("postgres://").or_else(|| text.strip_prefix("postgresql://")))
        .ok_or("it does not begin with `postgres://`")?;
    if rest.contains(['?', '#']) {
        return Err("it has parameters; `tls`, `ca` and the like are keys of the cluster");
    }
    // A password may contain an unencoded `/` or `@` by mistake: the last `@` ends it.
    let (userinfo, rest) = rest.rsplit_once('@').ok_or("it names no user: `postgres://USER@HOST:PORT/`")?;
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    if !path.is_empty() {
        return Err("it has a path; CrateDB has no databases to choose from");
    }
    let (user, password) = match userinfo.split_once(':') {
        Some((user, password)) => (user, Some(password)),
        None => (userinfo, None),
    };
    let user = decode(user).ok_or("its user is not percent-encoded UTF-8")?;
    if user.is_empty() {
        return Err("it names no user: `postgres://USER@HOST:PORT/`");
    }
    let password = match password.filter(|password| !password.is_empty()) {
        None => None,
        Some(written) => {
            let decoded = decode(written).ok_or("its password is not percent-encoded UTF-8")?;
            Some(Password { decoded, written: written.to_owned() })
        }
    };
    let address = HostPort::parse(host, PORT).map_err(|_| "its host or port is malformed")?;
    Ok(ClusterUrl { user, password, address })
}

/// Whether a text that may be no URL at all has what looks like a password in it.
pub(crate) fn shows_password(text: &str) -> bool {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    rest.rsplit_once('@').and_then(|(userinfo, _)| userinfo.split_once(':')).is_some_and(|(_, word)| !word.is_empty())
}

fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
        let decoded = if byte == b'%' { digit(rest.next())? * 16 + digit(rest.next())? } else { u32::from(byte) };
        bytes.push(u8::try_from(decoded).ok()?);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Result<String, &'static str> {
        parse(text).map(|url| {
            let password = url.password.map(|password| password.decoded).unwrap_or_default();
            format!("{} {password} {}", url.user, url.address)
        })
    }

    #[test]
    fn urls_are_taken_apart() {
        for (text, parts) in [
            ("postgres://u@h", "u  h:5432"),
            ("postgresql://u%40x:p%2Fw@h.org:5433/", "u@x p/w h.org:5433"),
            ("postgres://u:p@/w@[::1]:1/", "u p@/w [::1]:1"),
            ("postgres://u:@h/", "u  h:5432"),
        ] {
            assert_eq!(shown(text).as_deref(), Ok(parts), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_without_the_url() {
        for bad in [
            "http://u@h/",
            "postgres://h:5432/",
            "postgres://u@h/doc",
            "postgres://u@h/?sslmode=require",
            "postgres://@h",
            "postgres://u%ZZ@h",
            "postgres://u:%FF@h",
            "postgres://u@h:0",
            "postgres://u@h:5432:1",
        ] {
            assert!(shown(bad).is_err(), "{bad}");
        }
    }
}
