//! The provider over HTTPS: short questions, short answers, no detours.

use std::path::{Path, PathBuf};
use std::time::Duration;

use login::provider::LONGEST;
use ureq::Agent;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use zeroize::Zeroizing;

use crate::output::shown;
use crate::problem::Problem;

/// How long one question to the provider may take, connection and all.
const PATIENCE: Duration = Duration::from_secs(15);
/// Files with more bytes are no list of authorities.
const MAX_CA: u64 = 4 * 1024 * 1024;

/// By whose authorities the provider is known.
#[derive(clap::Args)]
pub(super) struct CaArg {
    /// The provider is certified by an authority in this file (PEM), and by none that the machine knows.
    #[arg(long, value_name = "FILE", env = "METERKEEP_PROVIDER_CA")]
    ca: Option<PathBuf>,
}

/// What came back.
pub(super) struct Answer {
    /// The status.
    pub status: u16,
    /// The body, which may hold what signs somebody in.
    pub body: Zeroizing<String>,
}

/// Speaks to the provider.
pub(super) struct Https(Agent);

impl CaArg {
    /// A client that trusts these.
    pub(super) fn client(&self) -> Result<Https, Problem> {
        let authorities = match &self.ca {
            Some(file) => from_file(file)?,
            None => of_the_machine()?,
        };
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::new_with_certs(&authorities))
            .unversioned_rustls_crypto_provider(link::ciphers())
            .build();
        let config = Agent::config_builder()
            .https_only(true)
            // an answer is told by its status here, and what is asked goes nowhere else than where it was to go
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_global(Some(PATIENCE))
            .user_agent("meterkeep")
            .tls_config(tls)
            .build();
        Ok(Https(Agent::new_with_config(config)))
    }
}

fn from_file(file: &Path) -> Result<Vec<Certificate<'static>>, Problem> {
    if std::fs::metadata(file).map_err(Problem::at(file))?.len() > MAX_CA {
        return Err(Problem::new(format!("`{}` is too long to be a list of authorities", file.display())));
    }
    let pem = std::fs::read(file).map_err(Problem::at(file))?;
    let found = parse_pem(&pem).filter_map(|item| match item {
        Ok(PemItem::Certificate(certificate)) => Some(Ok(certificate)),
        Ok(_) => None,
        Err(error) => Some(Err(error)),
    });
    let found: Vec<_> = found.collect::<Result<_, _>>().map_err(Problem::at(file))?;
    if found.is_empty() {
        return Err(Problem::new(format!("`{}` has no certificate", file.display()))
            .help("it begins with `-----BEGIN CERTIFICATE-----`"));
    }
    Ok(found)
}

fn of_the_machine() -> Result<Vec<Certificate<'static>>, Problem> {
    let found = rustls_native_certs::load_native_certs();
    if found.certs.is_empty() {
        return Err(Problem::new("this machine has no list of certificate authorities")
            .help("install `ca-certificates`, or give the provider's authority with `--ca FILE`"));
    }
    Ok(found.certs.iter().map(|der| Certificate::from_der(der).to_owned()).collect())
}

impl Https {
    /// Fetches a page, which has to be there.
    pub(super) fn get(&self, url: &str) -> Result<String, Problem> {
        let answer = read(url, self.0.get(url).call())?;
        match answer.status {
            200 => Ok(answer.body.to_string()),
            status => Err(Problem::new(format!("`{}` answers with the status {status}", shown(url)))
                .help("give the provider's address exactly as it writes itself (`--issuer`)")),
        }
    }

    /// Posts a form. A refusal is an answer, too.
    pub(super) fn post(&self, url: &str, form: &str) -> Result<Answer, Problem> {
        let request = self
            .0
            .post(url)
            .header("Content-Type", "application/x-www-form-urlencoded")
            .header("Accept", "application/json");
        read(url, request.send(form))
    }
}

fn read(url: &str, sent: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Result<Answer, Problem> {
    let mut response = sent.map_err(|error| unreachable(url, &error))?;
    let status = response.status().as_u16();
    if (300..400).contains(&status) {
        return Err(Problem::new(format!("`{}` sends elsewhere, and nothing is sent after it", shown(url)))
            .help("give the provider's address exactly as it writes itself (`--issuer`)"));
    }
    let most = u64::try_from(LONGEST).unwrap_or(u64::MAX);
    let body = response.body_mut().with_config().limit(most).read_to_string();
    let body = body.map_err(|error| match error {
        ureq::Error::BodyExceedsLimit(_) => Problem::new(format!(
            "`{}` answers with more than {} KiB, which no provider needs",
            shown(url),
            LONGEST / 1024
        )),
        error => unreachable(url, &error),
    })?;
    Ok(Answer { status, body: Zeroizing::new(body) })
}

fn unreachable(url: &str, error: &ureq::Error) -> Problem {
    let url = shown(url);
    match error {
        ureq::Error::Timeout(_) => {
            Problem::new(format!("`{url}` does not answer within {} s", PATIENCE.as_secs()))
                .help("is the provider up? other ways to sign in work without it (`meterkeep login`)")
        }
        ureq::Error::RequireHttpsOnly(_) => Problem::new(format!("`{url}` is no `https` address")),
        error => {
            let said = shown(&error.to_string());
            let help = if said.contains("certificate") {
                "who certified the provider? give that authority with `--ca FILE`"
            } else {
                "is the provider up? other ways to sign in work without it (`meterkeep login`)"
            };
            Problem::new(format!("cannot reach `{url}`: {said}")).help(help)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_a_certificate_is_refused_and_no_address_without_tls_is_asked() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        std::fs::write(&file, "no certificate\n").unwrap();
        let refused = CaArg { ca: Some(file.clone()) }.client().err().unwrap().to_string();
        assert!(refused.contains("has no certificate"), "{refused}");
        let authority = link::pki::make_authority("test").unwrap();
        std::fs::write(&file, authority.certificate).unwrap();
        let client = CaArg { ca: Some(file) }.client().unwrap();
        let refused = client.get("http://127.0.0.1:1/").err().unwrap().to_string();
        assert!(refused.contains("no `https` address"), "{refused}");
        let down = client.get("https://127.0.0.1:1/").err().unwrap().to_string();
        assert!(down.contains("cannot reach `https://127.0.0.1:1/`"), "{down}");
    }
}
