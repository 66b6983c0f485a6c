//! Who is admitted: what the core published last, kept across restarts. Who is not listed is refused.

use base::CollectorId;
use wire::Refused;
use wire::gateway::{BatchKey, Publish};

/// The core's last publication.
#[derive(Default)]
pub(crate) struct Admissions {
    published: Publish,
}

impl Admissions {
    pub(crate) fn new(published: Publish) -> Self {
        Self { published }
    }

    /// Whether this collector, with this very certificate, is let in.
    ///
    /// # Errors
    /// `not-admitted`, `quarantined-collector` or `revoked-collector`.
    pub(crate) fn admit(&self, id: CollectorId, certificate_sha256: &[u8; 32]) -> Result<(), Refused> {
        let listed = self.published.collectors.iter().find(|c| c.collector == id.0);
        let Some(listed) = listed.filter(|c| c.certificate_sha256 == certificate_sha256) else {
            let message = format!("{id} is not on the core's list with this certificate; enrol it");
            return Err(Refused::new("not-admitted", message));
        };
        match listed.state.as_str() {
            "admitted" => Ok(()),
            "quarantined" => {
                let message = format!("{id} is quarantined; what it hears waits in its spool");
                Err(Refused::new("quarantined-collector", message))
            }
            _ => Err(Refused::new("revoked-collector", format!("{id} was revoked; enrol it anew"))),
        }
    }

    /// The key that collectors seal to.
    pub(crate) fn batch_key(&self) -> Option<BatchKey> {
        self.published.batch_key.clone()
    }

    pub(crate) fn published(&self) -> &Publish {
        &self.published
    }
}

#[cfg(test)]
mod tests {
    use wire::gateway::Admission;

    use super::*;

    #[test]
    fn who_is_not_listed_as_admitted_with_this_certificate_stays_out() {
        let entry = |collector, state: &str| Admission {
            collector,
            certificate_sha256: vec![9; 32],
            state: state.to_owned(),
        };
        let collectors = vec![
            entry(1, "admitted"),
            entry(2, "quarantined"),
            entry(3, "revoked"),
            entry(4, "something new"),
        ];
        let admissions = Admissions::new(Publish { collectors, ..Publish::default() });
        let code =
            |id, certificate: [u8; 32]| admissions.admit(CollectorId(id), &certificate).map_err(|e| e.code);
        assert_eq!(code(1, [9; 32]), Ok(()));
        assert_eq!(code(1, [8; 32]), Err("not-admitted"));
        assert_eq!(code(2, [9; 32]), Err("quarantined-collector"));
        assert_eq!(code(3, [9; 32]), Err("revoked-collector"));
        assert_eq!(code(4, [9; 32]), Err("revoked-collector"));
        assert_eq!(code(5, [9; 32]), Err("not-admitted"));
        assert_eq!(Admissions::default().admit(CollectorId(1), &[9; 32]).unwrap_err().code, "not-admitted");
    }
}
