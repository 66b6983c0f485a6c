//! Putting files of a house aside and back, as somebody with its disk could.

use std::path::{Path, PathBuf};

use house_tests::house::House;
use wire::Room;

/// Copies a folder with all that is in it.
pub(crate) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let (path, name) = entry.map(|e| (e.path(), e.file_name())).unwrap();
        if path.is_dir() {
            copy(&path, &to.join(name));
        } else {
            std::fs::copy(&path, to.join(name)).unwrap();
        }
    }
}

/// Puts a folder in the place of another.
pub(crate) fn put(from: &Path, to: &Path) {
    std::fs::remove_dir_all(to).unwrap();
    copy(from, to);
}

/// Where the vault keeps its files.
pub(crate) fn vault_folder(house: &House) -> PathBuf {
    house.layout.room(Room::Vault)
}
