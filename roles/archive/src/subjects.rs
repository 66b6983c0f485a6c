//! Tags that stand for people in the log: whoever reads the log cannot tell whose they are, and the archive can.

use std::path::Path;

use base::{Secret, TenancyId};
use house::StartError;
use journal::{Disk, read_whole, write_atomically};
use seal::mac;
use zeroize::Zeroizing;

const DOMAIN: &[u8] = b"meterkeep/subject/1";

/// Makes the tags.
pub(crate) struct SubjectKey(Secret<32>);

impl SubjectKey {
    #[cfg(test)]
    pub(crate) const fn new(key: Secret<32>) -> Self {
        Self(key)
    }

    /// Reads the key, or makes it at the first start. It is never replaced: the tags in the log would lose
    /// their meaning.
    pub(crate) fn load(disk: &dyn Disk, path: &Path) -> Result<Self, StartError> {
        let failed = |e: &dyn std::fmt::Display| StartError(format!("the key of the log's tags: {e}"));
        if let Some(bytes) = read_whole(disk, path, 64).map_err(|e| failed(&e))? {
            let bytes = Zeroizing::new(bytes);
            let key = Secret::from_slice(&bytes);
            return key.map(Self).ok_or_else(|| {
                failed(&format!("`{}` has not 32 bytes; put back a good copy", path.display()))
            });
        }
        let key = Secret::random().map_err(|e| failed(&e))?;
        write_atomically(disk, path, key.expose()).map_err(|e| failed(&e))?;
        Ok(Self(key))
    }

    /// The tag of a tenancy.
    pub(crate) fn tag(&self, tenancy: TenancyId) -> [u8; 16] {
        let code = mac::code(&self.0, &[DOMAIN, &tenancy.0].concat());
        code.first_chunk().copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use journal::faulty::FaultyDisk;

    use super::*;

    #[test]
    fn tags_stay_the_same_over_restarts_and_differ_by_tenancy_and_house() {
        let disk = FaultyDisk::new(0);
        disk.make_dir(Path::new("/a")).unwrap();
        let path = Path::new("/a/subject.key");
        let (one, two) = (TenancyId([1; 16]), TenancyId([2; 16]));
        let first = SubjectKey::load(&disk, path).unwrap();
        let again = SubjectKey::load(&disk, path).unwrap();
        assert_eq!(first.tag(one), again.tag(one));
        assert_ne!(first.tag(one), first.tag(two));
        assert_ne!(first.tag(one), SubjectKey::new(Secret::new([0; 32])).tag(one));
        write_atomically(&disk, path, &[1; 5]).unwrap();
        assert!(SubjectKey::load(&disk, path).is_err());
    }
}
