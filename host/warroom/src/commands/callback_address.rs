//! Where Mattermost sends presses, seen with its eyes: it does not call private addresses unless a setting names them.

use anyhow::{Context as _, bail};
use std::net::{IpAddr, Ipv6Addr};

/// The setting in `ServiceSettings` that names the private addresses which the server may call.
pub(super) const SETTING: &str = "AllowedUntrustedInternalConnections";

/// Where an administrator finds it.
pub(super) const PLACE: &str =
    "System Console > Environment > Developer > Allow untrusted internal connections";

/// A host that presses are sent to, and where its name leads from here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CallbackAddress {
    host: String,
    addresses: Vec<IpAddr>,
}

impl CallbackAddress {
    /// Reads an address and looks its host up. That a name leads nowhere from here is no error: the server may know it.
    ///
    /// # Errors
    /// When the text is no address of the web.
    pub(super) async fn resolve(url: &str) -> anyhow::Result<CallbackAddress> {
        let parsed = reqwest::Url::parse(url).with_context(|| format!("`{url}` is no address"))?;
        let (Some(host), Some(port)) = (parsed.host_str(), parsed.port_or_known_default()) else {
            bail!("`{url}` is no address such as `http://warroom.internal:8480`");
        };
        let host = host.trim_matches(['[', ']']).to_owned();
        let found = tokio::net::lookup_host((host.as_str(), port)).await;
        let addresses = found.map(|found| found.map(|found| found.ip()).collect()).unwrap_or_default();
        Ok(CallbackAddress { host, addresses })
    }

    /// The name or number as the setting names it.
    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// Whether the server calls it only if the setting names it, as far as can be told from here: a name that is not known here is one
    /// of an inner network, such as that of a container which does not run yet.
    pub(super) fn is_internal(&self) -> bool {
        self.addresses.is_empty() || self.addresses.iter().any(is_internal)
    }

    /// What kind of address it is, for people.
    pub(super) fn nature(&self) -> &'static str {
        if self.addresses.is_empty() {
            "a name that is not known here, so that of an inner network"
        } else if self.addresses.iter().any(IpAddr::is_loopback) {
            "a loopback address"
        } else if self.is_internal() {
            "a private address"
        } else {
            "a public address"
        }
    }

    /// Whether the value of the setting names the host, or every network that it is in.
    pub(super) fn is_allowed_by(&self, setting: &str) -> bool {
        let entries =
            || setting.split(|c: char| c.is_whitespace() || c == ',').filter(|entry| !entry.is_empty());
        if entries().any(|entry| entry.eq_ignore_ascii_case(&self.host)) {
            return true;
        }
        let covered = |address: &IpAddr| entries().any(|entry| network_has(entry, address));
        !self.addresses.is_empty()
            && self.addresses.iter().filter(|address| is_internal(address)).all(covered)
    }
}

/// Whether the server takes the address for one of an inner network.
fn is_internal(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let shared = matches!(v4.octets(), [100, 64..=127, ..]);
            v4.is_loopback() || v4.is_private() || v4.is_link_local() || v4.is_unspecified() || shared
        }
        IpAddr::V6(v6) => {
            v6.is_loopback() || v6.is_unspecified() || v6.is_unique_local() || v6.is_unicast_link_local()
        }
    }
}

/// Whether a network such as `10.0.0.0/8`, or a lone address, has the address.
fn network_has(network: &str, address: &IpAddr) -> bool {
    let (start, bits) = match network.split_once('/') {
        Some((start, bits)) => (start, bits.parse::<u32>().ok()),
        None => (network, Some(128)),
    };
    let (Ok(start), Some(bits)) = (start.parse::<IpAddr>(), bits) else { return false };
    if start.is_ipv4() != address.is_ipv4() {
        return false;
    }
    // As numbers of 128 bits: the part before that of an IPv4 address is the same for all.
    let offset = if start.is_ipv4() && network.contains('/') { 96 } else { 0 };
    let kept = bits.saturating_add(offset).min(128);
    let number = |address: &IpAddr| u128::from(wide(address)).checked_shr(128 - kept).unwrap_or(0);
    number(&start) == number(address)
}

fn wide(address: &IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => *v6,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn address(url: &str) -> CallbackAddress {
        CallbackAddress::resolve(url).await.unwrap()
    }

    #[tokio::test]
    async fn loopback_and_private_addresses_are_internal() {
        for url in [
            "http://127.0.0.1:8480",
            "http://10.1.2.3",
            "http://[::1]:1/x",
            "http://[fd00::1]/",
            "http://100.64.0.1",
        ] {
            assert!(address(url).await.is_internal(), "{url}");
        }
        for url in ["http://8.8.8.8", "https://[2001:4860::1]/", "http://100.128.0.1"] {
            assert!(!address(url).await.is_internal(), "{url}");
        }
        assert!(CallbackAddress::resolve("nonsense").await.is_err());
    }

    #[tokio::test]
    async fn a_name_or_a_network_allows() {
        let here = address("http://10.1.2.3:8480").await;
        for setting in ["10.1.2.3", "a.example 10.1.0.0/16", "x,10.1.2.3/32", "0.0.0.0/0"] {
            assert!(here.is_allowed_by(setting), "{setting}");
        }
        for setting in ["", "10.1.2.4", "10.2.0.0/16", "::/0", "10.1.2.3/x"] {
            assert!(!here.is_allowed_by(setting), "{setting}");
        }
        let named = CallbackAddress { host: "warroom".to_owned(), addresses: Vec::new() };
        assert!(named.is_internal());
        assert!(named.is_allowed_by("localhost Warroom") && !named.is_allowed_by("10.0.0.0/8"));
    }
}
