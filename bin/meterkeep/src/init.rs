//! `meterkeep init`: makes a house: its folders, authorities, keys and settings.

use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use base::SecretBytes;
use house::{Config, Layout};
use link::pki::{self, Certified};
use seal::sign::Signer;
use tlog::key::LogSigner;
use wire::Room;
use zeroize::Zeroizing;

use crate::officer::{self, PublicOfficer};
use crate::output::say;
use crate::place::HouseArg;
use crate::private_file;
use crate::problem::{Problem, USAGE};
use crate::secret::{self, PassphraseArg};

/// Make a new house: folders, certificates, keys, settings.
///
/// Nothing is made when the folder exists and is not empty. The passphrase opens the vault at each start; without
/// it the keys and readings of the house are lost.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  meterkeep init --house ./house --name \"Waterworks North\"\n  \
                        meterkeep init --house /var/lib/meterkeep --passphrase-file /root/passphrase")]
pub(crate) struct Args {
    #[command(flatten)]
    house: HouseArg,
    /// A name for people.
    #[arg(long, default_value = "house")]
    name: String,
    /// Where collectors reach the gateway.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:7370")]
    listen: String,
    /// What a new meter's policy keeps: one reading a day, or all.
    #[arg(long, value_parser = ["daily", "all"], default_value = "daily")]
    resolution: String,
    /// A key officer's public file, as `meterkeep officer new` made it. Give one for each; two are needed to hand keys over.
    #[arg(long = "officer", value_name = "FILE")]
    officers: Vec<PathBuf>,
    #[command(flatten)]
    passphrase: PassphraseArg,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Problem> {
    let folder = &args.house.house;
    refuse_used(folder)?;
    let officers = args.officers.iter().map(|file| officer::public(file)).collect::<Result<Vec<_>, _>>()?;
    let passphrase = args.passphrase.new_one()?;
    let plan =
        Plan { name: &args.name, listen: &args.listen, resolution: &args.resolution, officers: &officers };
    make(folder, &plan, &passphrase)?;
    let shown = folder.display();
    say(&format!("made the house in `{shown}`"));
    say(&format!(
        "  move `{shown}/offline` to a medium that you lock away: it certifies rooms and is not needed to run"
    ));
    say("  keep the passphrase apart from the house: without it everything in the house is lost");
    say("next:");
    say(&format!("  meterkeep up --house {shown}"));
    Ok(ExitCode::SUCCESS)
}

/// What a new house is called and where it listens.
pub(crate) struct Plan<'a> {
    pub name: &'a str,
    pub listen: &'a str,
    pub resolution: &'a str,
    pub officers: &'a [PublicOfficer],
}

fn refuse_used(folder: &Path) -> Result<(), Problem> {
    let occupied = match std::fs::read_dir(folder) {
        Ok(mut entries) => entries.next().is_some(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => false,
        Err(error) => return Err(Problem::at(folder)(error)),
    };
    if !occupied {
        return Ok(());
    }
    let there =
        if Layout::new(folder).config().exists() { "there is a house already" } else { "it is not empty" };
    Err(Problem::new(format!("`{}`: {there}; nothing was changed", folder.display()))
        .help("choose another folder with `--house DIR`"))
}

/// Makes a house, all of it or nothing: in a folder beside, which is moved into place at the end.
pub(crate) fn make(folder: &Path, plan: &Plan<'_>, passphrase: &SecretBytes) -> Result<(), Problem> {
    refuse_used(folder)?;
    secret::check_new(passphrase)?;
    check(plan)?;
    let building = beside(folder)?;
    let made = build(&Layout::new(&building), plan, passphrase).and_then(|()| {
        // an empty folder that was made beforehand, by a package say, gives way
        let _ = std::fs::remove_dir(folder);
        std::fs::rename(&building, folder).map_err(Problem::at(folder))?;
        // what is promised below has to be there after a power cut, too: the names with the files
        let folders = Layout::new(folder).folders();
        let above = building.parent().map(Path::to_owned);
        folders
            .iter()
            .chain(&above)
            .try_for_each(|f| std::fs::File::open(f).and_then(|f| f.sync_all()).map_err(Problem::at(f)))
    });
    if made.is_err() {
        let _ = std::fs::remove_dir_all(&building);
    }
    made
}

fn check(plan: &Plan<'_>) -> Result<(), Problem> {
    let (name, listen) = (plan.name, plan.listen);
    if name.is_empty() || name.len() > 64 || name.chars().any(char::is_control) {
        return Err(Problem::new(format!("`{name}` is no name; give 1 to 64 characters")).exit(USAGE));
    }
    if listen.parse::<std::net::SocketAddr>().is_err() {
        return Err(Problem::new(format!("`{listen}` is no address to listen at"))
            .help("write it as `127.0.0.1:7370` or `0.0.0.0:7370`")
            .exit(USAGE));
    }
    Ok(())
}

fn beside(folder: &Path) -> Result<PathBuf, Problem> {
    let absolute = std::path::absolute(folder).map_err(Problem::at(folder))?;
    let (Some(parent), Some(name)) = (absolute.parent(), absolute.file_name()) else {
        return Err(Problem::new(format!("`{}` cannot be a house's folder", folder.display())).exit(USAGE));
    };
    std::fs::create_dir_all(parent).map_err(Problem::at(parent))?;
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(name);
    hidden.push(format!(".new-{}", std::process::id()));
    Ok(parent.join(hidden))
}

fn build(layout: &Layout, plan: &Plan<'_>, passphrase: &SecretBytes) -> Result<(), Problem> {
    for folder in layout.folders() {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&folder)
            .map_err(Problem::at(&folder))?;
    }
    certificates(layout)?;
    for room in [Room::Warden, Room::Intake] {
        let key = Signer::generate().map_err(Problem::during("cannot make a signing key"))?;
        let seed = Zeroizing::new(format!("{}\n", hex::encode(key.expose_seed())));
        private_file::write(&layout.signing_key(room), &[seed.as_bytes()])?;
        private_file::write(
            &layout.public_key(room),
            &[format!("{}\n", hex::encode(key.verifier().as_bytes())).as_bytes()],
        )?;
    }
    log_key(layout)?;
    vault::create(layout, plan.name, passphrase).map_err(Problem::during("cannot make the vault"))?;
    if !plan.officers.is_empty() {
        let proof = vault::Proof::Passphrase(SecretBytes::new(passphrase.expose().to_vec()));
        let officers: Vec<_> = plan.officers.iter().map(|o| (o.name.as_str(), o.key)).collect();
        vault::Custody::open(layout, &proof)?.pin_officers(plan.name, &officers)?;
    }
    let mut config = Config::default();
    plan.name.clone_into(&mut config.house.name);
    plan.listen.clone_into(&mut config.gateway.listen);
    plan.resolution.clone_into(&mut config.house.default_resolution);
    config.house.owner_uid = nix::unistd::getuid().as_raw();
    let text = toml::to_string_pretty(&config).map_err(Problem::during("cannot write the settings"))?;
    private_file::write(&layout.config(), &[text.as_bytes()])
}

/// The key of the log. Its name is the log's origin, by which witnesses know it, so that no two houses have the same.
fn log_key(layout: &Layout) -> Result<(), Problem> {
    let random = Problem::during("cannot make the log's key");
    let (seed, name) = (base::Secret::<32>::random(), base::random::<4>());
    let (seed, name) = seed.and_then(|seed| Ok((seed, name?))).map_err(random)?;
    let name = format!("meterkeep-{}/log", hex::encode(name));
    let key = LogSigner::from_seed(&name, &seed).map_err(Problem::during("cannot make the log's key"))?;
    let line = Zeroizing::new(format!("{}\n", hex::encode(seed.expose())));
    private_file::write(&layout.log_seed(), &[line.as_bytes()])?;
    private_file::write(&layout.log_public(), &[format!("{}\n", key.verifier()).as_bytes()])
}

fn certificates(layout: &Layout) -> Result<(), Problem> {
    let house = pki::make_authority("house").map_err(|e| Problem::new(e.to_string()))?;
    let collectors = pki::make_authority("collectors").map_err(|e| Problem::new(e.to_string()))?;
    private_file::write(&layout.house_authority(), &[house.certificate.as_bytes()])?;
    private_file::write(&layout.root().join("offline/house-ca-key.pem"), &[house.key.as_bytes()])?;
    private_file::write(&layout.collector_authority(), &[collectors.certificate.as_bytes()])?;
    private_file::write(
        &layout.room(Room::Warden).join("collector-ca-key.pem"),
        &[collectors.key.as_bytes()],
    )?;
    for room in Room::ALL.into_iter().filter(|r| *r != Room::Collector) {
        let Certified { certificate, key } =
            pki::certify_room(&house, room).map_err(|e| Problem::new(e.to_string()))?;
        private_file::write(&layout.room(room).join("tls-cert.pem"), &[certificate.as_bytes()])?;
        private_file::write(&layout.room(room).join("tls-key.pem"), &[Zeroizing::new(key).as_bytes()])?;
    }
    Ok(())
}
