//! Landlock: files and TCP ports.

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, NetPort, PathBeneath, PathFd,
    Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetStatus,
};

use crate::{JailError, Network, Profile};

/// The newest rights that are asked for; older kernels enforce what they know.
const WANTED: ABI = ABI::V5;

/// Reports what is enforced of files and of the network.
pub(crate) fn restrict(profile: &Profile) -> Result<(&'static str, &'static str), JailError> {
    let failed = |e: landlock::RulesetError| JailError { what: "landlock", why: e.to_string() };
    let network = restrict_network(profile).map_err(failed)?;
    let rules = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(WANTED))
        .and_then(Ruleset::create)
        .map_err(failed)?;
    // Reading without execution: no room starts another program.
    let read = AccessFs::from_read(WANTED) & !BitFlags::from(AccessFs::Execute);
    let write = AccessFs::from_all(WANTED) & !BitFlags::from(AccessFs::Execute);
    let rules = allow(rules, &profile.read, read)?;
    let rules = allow(rules, &profile.write, write)?;
    let device = AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::IoctlDev;
    let rules = allow(rules, &profile.devices, device)?;
    let status = rules.restrict_self().map_err(failed)?;
    let files = match status.ruleset {
        RulesetStatus::FullyEnforced => "full",
        RulesetStatus::PartiallyEnforced => "partial",
        RulesetStatus::NotEnforced => "none",
    };
    Ok((files, network))
}

/// Ports have a rule set of their own, so that a kernel without them (before 6.7) is told apart from one
/// without some right on files.
fn restrict_network(profile: &Profile) -> Result<&'static str, landlock::RulesetError> {
    let (listen, connect) = match &profile.network {
        Network::None => (&[][..], &[][..]),
        Network::Listen(ports) => (ports.as_slice(), &[][..]),
        Network::Ports { listen, connect } => (listen.as_slice(), connect.as_slice()),
    };
    let mut rules = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessNet::from_all(WANTED))?
        .create()?;
    for port in listen {
        rules = rules.add_rule(NetPort::new(*port, AccessNet::BindTcp))?;
    }
    for port in connect {
        rules = rules.add_rule(NetPort::new(*port, AccessNet::ConnectTcp))?;
    }
    let status = rules.restrict_self()?;
    Ok(if status.ruleset == RulesetStatus::FullyEnforced { "full" } else { "none" })
}

fn allow(
    mut rules: RulesetCreated,
    paths: &[std::path::PathBuf],
    rights: BitFlags<AccessFs>,
) -> Result<RulesetCreated, JailError> {
    for path in paths {
        let Ok(metadata) = std::fs::metadata(path) else { continue };
        let opened = PathFd::new(path)
            .map_err(|e| JailError { what: "landlock", why: format!("`{}`: {e}", path.display()) })?;
        // A single file takes only the rights that a file can have.
        let rights = if metadata.is_dir() { rights } else { rights & AccessFs::from_file(WANTED) };
        rules = rules.add_rule(PathBeneath::new(opened, rights)).map_err(JailError::during("landlock"))?;
    }
    Ok(rules)
}
