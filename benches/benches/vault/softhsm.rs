//! SoftHSM2, asked over PKCS #11 for a decryption a call. It runs in a child of this program, because its settings come by the
//! environment.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::Attribute;
use cryptoki::session::UserType;
use cryptoki::types::AuthPin;

const LIBRARIES: [&str; 2] = ["/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/softhsm/libsofthsm.so"];
const CHILD: &str = "MEASURE_SOFTHSM";
const CALLS: u32 = 100_000;

/// Whether this process is the child.
pub(crate) fn is_child() -> bool {
    std::env::var_os(CHILD).is_some()
}

/// Decryptions a second, with a token of its own in a folder.
pub(crate) fn measure(folder: &Path) -> Result<f64, String> {
    let library = LIBRARIES.iter().find(|path| Path::new(path).exists()).ok_or("it is not installed")?;
    let text = |error: std::io::Error| error.to_string();
    std::fs::create_dir_all(folder.join("tokens")).map_err(text)?;
    let conf = folder.join("softhsm2.conf");
    let settings = format!("directories.tokendir = {}\nlog.level = ERROR\n", folder.join("tokens").display());
    std::fs::write(&conf, settings).map_err(text)?;
    let make = ["--init-token", "--free", "--label", "bench", "--so-pin", "87654321", "--pin", "12345678"];
    let made = Command::new("softhsm2-util").args(make).env("SOFTHSM2_CONF", &conf).output().map_err(text)?;
    if !made.status.success() {
        return Err(String::from_utf8_lossy(&made.stderr).into_owned());
    }
    let mut child = Command::new(std::env::current_exe().map_err(text)?);
    let output = child.env(CHILD, library).env("SOFTHSM2_CONF", &conf).output().map_err(text)?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    said.trim().parse().map_err(|_| format!("{said} {}", String::from_utf8_lossy(&output.stderr)))
}

/// Prints decryptions a second.
pub(crate) fn child() {
    let module = std::env::var_os(CHILD).expect("the library");
    let library = Pkcs11::new(Path::new(&module)).expect("a library");
    library.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)).expect("initialised");
    let slot = *library.get_slots_with_initialized_token().expect("slots").first().expect("a token");
    let session = library.open_rw_session(slot).expect("a session");
    session.login(UserType::User, Some(&AuthPin::from("12345678"))).expect("logged in");
    let template = [
        Attribute::Token(false),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Encrypt(true),
        Attribute::Decrypt(true),
        Attribute::ValueLen(16.into()),
    ];
    let key = session.generate_key(&Mechanism::AesKeyGen, &template).expect("a key");
    let with = Mechanism::AesCbc([7; 16]);
    let sealed = session.encrypt(&with, key, &[3; 64]).expect("encrypted");
    let start = Instant::now();
    for _ in 0..CALLS {
        let plain = session.decrypt(&with, key, &sealed).expect("decrypted");
        assert_eq!(plain.len(), 64);
    }
    println!("{}", f64::from(CALLS) / start.elapsed().as_secs_f64());
}
