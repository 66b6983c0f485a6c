//! Logs that were bent, and logs that only look so, before the offline verifier.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tlog::{Checkpoint, Note};

use crate::memory::Log;
use crate::written::{KEPT, SIZE, Scene, answer, lay_out, meterkeep};

/// What the verifier says of the folder, which it also says of a bundle of it.
#[track_caller]
fn fault(scene: &Scene, word: &str, index: u64) -> Value {
    let said = answer(&scene.verify(&scene.tiles(), &[]), 3);
    assert_eq!(
        (&said["valid"], &said["fault"], &said["index"]),
        (&json!(false), &json!(word), &json!(index)),
        "{said}"
    );
    let bundle = scene.at("bent.tar");
    let packed = meterkeep([Path::new("ledger"), Path::new("bundle"), &scene.tiles(), &bundle]);
    if packed.code == Some(0) {
        let of_bundle = answer(&scene.verify(&bundle, &[]), 3);
        assert_eq!(
            (&of_bundle["fault"], &of_bundle["index"]),
            (&said["fault"], &said["index"]),
            "{of_bundle}"
        );
        fs::remove_file(bundle).unwrap();
    }
    said
}

#[test]
fn a_sound_log_is_valid_as_a_folder_as_a_bundle_and_by_its_tiles_alone() {
    let scene = Scene::new();
    let root = scene.shown.root().to_base64();
    let bundle = scene.at("log.tar");
    let packed = ["ledger", "bundle"].map(Path::new);
    let (tiles, vkey, kept) = (scene.tiles(), scene.at("vkey"), scene.at("kept"));
    let more = [&*tiles, &*bundle, Path::new("--key"), &*vkey, Path::new("--kept"), &*kept];
    let _ = meterkeep(packed.iter().chain(&more)).good();
    for (log, kept) in [(&tiles, 1), (&bundle, 2)] {
        let said = answer(&scene.verify(log, &[]), 0);
        assert_eq!(said["valid"], true);
        assert_eq!(
            (&said["size"], &said["entries"], &said["root"]),
            (&json!(SIZE), &json!(SIZE), &json!(root))
        );
        assert_eq!((&said["kept"], &said["read"]), (&json!(kept), &json!("entries")), "{said}");
        assert_eq!(answer(&scene.verify(log, &[Path::new("--tiles-only")]), 0)["read"], "tiles");
        let span = ["--from", "890", "--to", "910"].map(Path::new);
        assert_eq!(answer(&scene.verify(log, &span), 0)["entries"], 256);
    }
    let people =
        meterkeep(["ledger", "verify", &bundle.display().to_string(), "--key", &scene.log.key().to_string()]);
    let people = people.good().out;
    for line in ["valid", &format!("size       {SIZE}"), &format!("root       {root}"), "all of 1100 entries"]
    {
        assert!(people.contains(line), "{people}");
    }
    // the same bytes for the same log, and nothing written over
    let again = scene.at("again.tar");
    let more = [&*tiles, &*again, Path::new("--key"), &*vkey, Path::new("--kept"), &*kept];
    let _ = meterkeep(packed.iter().chain(&more)).good();
    assert_eq!(fs::read(&bundle).unwrap(), fs::read(&again).unwrap());
    assert_eq!(meterkeep(packed.iter().chain(&more)).code, Some(1));
}

#[test]
fn a_flipped_bit_a_dropped_and_a_swapped_event_are_named_by_their_index() {
    let scene = Scene::new();
    for index in [0, 600, 1099] {
        let mut entries = scene.log.entries.clone();
        entries[index][2] ^= 1;
        scene.entries(&entries);
        let said = fault(&scene, "changed", index as u64);
        assert_eq!(said["message"], format!("entry {index} was changed"));
        let tiles = [Path::new("--tiles-only")];
        assert_eq!(scene.verify(&scene.tiles(), &tiles).code, Some(0), "the tiles are as they were");
        let span = ["--from", "300", "--to", "400"].map(Path::new);
        assert_eq!(scene.verify(&scene.tiles(), &span).code, Some(0), "elsewhere all is well");
    }
    let mut entries = scene.log.entries.clone();
    entries.remove(600);
    scene.entries(&entries);
    fault(&scene, "dropped", 600);
    let mut entries = scene.log.entries.clone();
    entries.swap(600, 610);
    scene.entries(&entries);
    assert_eq!(fault(&scene, "swapped", 600)["message"], "entry 600 changed places with entry 610");
    scene.entries(&scene.log.entries);
    let tile = scene.tiles().join("tile/0/001");
    let mut bytes = fs::read(&tile).unwrap();
    bytes[7 * 32] ^= 1;
    fs::write(tile, bytes).unwrap();
    fault(&scene, "tile", 256 + 7);
}

#[test]
fn a_tail_that_was_cut_off_is_named_by_where_it_began() {
    let scene = Scene::new();
    scene.entries(&scene.log.entries[..900]);
    fault(&scene, "truncated", 900);
    // cut before what was kept and signed anew with the right key
    let (cut, signed) = Log::of(650);
    scene.lay_out(&cut, &signed);
    let said = fault(&scene, "shorter", 650);
    assert_eq!(said["message"], "the checkpoint shown has 650 leaves, one kept from before has 700");
    // a hole in the middle is a gap, not an end
    scene.lay_out(&scene.log, &scene.shown);
    fs::remove_file(scene.tiles().join("tile/entries/002")).unwrap();
    fault(&scene, "gap", 512);
}

#[test]
fn a_log_rebuilt_with_the_right_key_is_a_fork_before_what_was_kept() {
    let scene = Scene::new();
    let mut entries = scene.log.entries.clone();
    entries[100] = b"another".to_vec();
    let mut rebuilt = Log::new();
    let signed = rebuilt.append(entries);
    scene.lay_out(&rebuilt, &signed);
    let said = fault(&scene, "fork", 0);
    assert!(said["message"].as_str().unwrap().contains("before 700"), "{said}");
    let alone =
        ["ledger", "verify", &scene.tiles().display().to_string(), "--key", &scene.log.key().to_string()];
    assert!(
        meterkeep(alone).good().out.contains("would look the same"),
        "in itself it is sound, and that is said"
    );
    let consistent = |old: &Path, new: &Path| {
        let arguments = ["ledger", "consistent", "--format", "json"].map(Path::new);
        let (tiles, vkey) = (scene.tiles(), scene.at("vkey"));
        meterkeep(arguments.iter().chain(&[old, new, &*tiles, Path::new("--key"), &*vkey]))
    };
    assert_eq!(answer(&consistent(&scene.at("kept"), &scene.tiles().join("checkpoint")), 3)["fault"], "fork");
    scene.lay_out(&scene.log, &scene.shown);
    assert_eq!(answer(&consistent(&scene.at("kept"), &scene.tiles().join("checkpoint")), 0)["valid"], true);
    assert_eq!(
        answer(&consistent(&scene.tiles().join("checkpoint"), &scene.at("kept")), 3)["fault"],
        "shorter"
    );
}

#[test]
fn without_the_logs_own_signature_nothing_is_valid() {
    let scene = Scene::new();
    let stranger =
        tlog::key::LogSigner::from_seed(crate::memory::ORIGIN, &base::Secret::new([9; 32])).unwrap();
    let forged = Note::new(&scene.shown.text(), &[stranger.sign(&scene.shown)]).unwrap();
    let file = scene.tiles().join("checkpoint");
    fs::write(&file, forged.bytes()).unwrap();
    assert_eq!(answer(&scene.verify(&scene.tiles(), &[]), 3)["fault"], "checkpoint");
    let mut bent = scene.log.sign(&scene.shown).bytes();
    bent[crate::memory::ORIGIN.len() + 3] ^= 1;
    fs::write(&file, bent).unwrap();
    assert_eq!(answer(&scene.verify(&scene.tiles(), &[]), 3)["fault"], "checkpoint");
    fs::write(&file, b"nothing").unwrap();
    assert_eq!(answer(&scene.verify(&scene.tiles(), &[]), 3)["fault"], "checkpoint");
}

/// Leaves only what the log as it is now consists of.
fn drop_outgrown(log: &mut Log) {
    let size = log.entries.len() as u64;
    let tiles = tlog::changed_tiles(0, size).map(|id| id.path());
    let now: Vec<String> = tiles.chain(tlog::changed_bundles(0, size).map(|id| id.path())).collect();
    log.memory.files.retain(|path, _| now.contains(path));
}

#[test]
fn what_only_looks_bent_stays_valid() {
    let scene = Scene::new();
    let tiles = scene.tiles();
    // signatures of keys that nobody asked about
    let mut witness = tlog::witness::Witness::new(crate::memory::witness_signer(3));
    witness.watch(crate::memory::ORIGIN, vec![scene.log.key()]);
    let request =
        tlog::witness::Request { old: 0, proof: Vec::new(), checkpoint: scene.log.sign(&scene.shown) };
    let cosigned = witness.judge(None, &request, 1_900_000_000).unwrap();
    let lines = [scene.log.signer.sign(&scene.shown), cosigned.answer];
    fs::write(tiles.join("checkpoint"), Note::new(&scene.shown.text(), &lines).unwrap().bytes()).unwrap();
    assert_eq!(answer(&scene.verify(&tiles, &[]), 0)["witnesses"], json!([]));
    // what the log grew out of is dropped, as the format allows, and files of others lie about
    fs::remove_dir_all(tiles.join("tile/0/002.p")).unwrap();
    fs::remove_dir_all(tiles.join("tile/entries/002.p")).unwrap();
    fs::write(tiles.join("tile/0/README"), "ours").unwrap();
    fs::create_dir(tiles.join("tile/9")).unwrap();
    assert_eq!(scene.verify(&tiles, &[]).code, Some(0));
    // the log is ahead of the checkpoint that is verified, and only wider tiles are left
    let mut log = Log::new();
    log.grow_to(SIZE);
    let _ = log.grow_to(SIZE + 20);
    drop_outgrown(&mut log);
    scene.lay_out(&log, &scene.shown);
    assert_eq!(answer(&scene.verify(&tiles, &[]), 0)["entries"], SIZE);
    // two old checkpoints, and tiles of a later one only
    let (mut log, kept) = Log::of(KEPT);
    let middle = log.grow_to(1000);
    let newest = log.grow_to(SIZE);
    drop_outgrown(&mut log);
    scene.lay_out(&log, &newest);
    for (name, checkpoint) in [("old", &kept), ("new", &middle)] {
        fs::write(scene.at(name), log.sign(checkpoint).bytes()).unwrap();
    }
    let (old, new, vkey) = (scene.at("old"), scene.at("new"), scene.at("vkey"));
    let arguments = ["ledger", "consistent"].map(Path::new);
    let _ = meterkeep(arguments.iter().chain(&[&*old, &*new, &*tiles, Path::new("--key"), &*vkey])).good();
    // what was kept is as large as what is shown, or is from before the first entry
    scene.lay_out(&scene.log, &scene.shown);
    fs::write(scene.at("kept"), scene.log.sign(&scene.shown).bytes()).unwrap();
    assert_eq!(scene.verify(&tiles, &[]).code, Some(0));
    let none = Checkpoint::new(crate::memory::ORIGIN, 0, tlog::empty_root()).unwrap();
    fs::write(scene.at("kept"), scene.log.sign(&none).bytes()).unwrap();
    assert_eq!(scene.verify(&tiles, &[]).code, Some(0));
    let empty = scene.at("empty");
    lay_out(&Log::new(), &none, &empty);
    assert_eq!(answer(&scene.verify(&empty, &[]), 0)["entries"], 0);
}

#[test]
fn a_tar_of_anybody_is_a_bundle_and_one_name_twice_is_none() {
    let scene = Scene::new();
    let bundle = scene.at("theirs.tar");
    let made = Command::new("tar").arg("-cf").arg(&bundle).arg("-C").arg(scene.tiles()).arg(".").status();
    let Ok(status) = made else { return eprintln!("skipped: there is no `tar`") };
    assert!(status.success());
    assert_eq!(answer(&scene.verify(&bundle, &[]), 0)["entries"], SIZE);
    // appended once more, for readers who take the last one
    fs::write(scene.tiles().join("tile/0/000"), vec![0; 8192]).unwrap();
    let again =
        Command::new("tar").arg("-rf").arg(&bundle).arg("-C").arg(scene.tiles()).arg("./tile/0/000").status();
    assert!(again.unwrap().success());
    let said = scene.verify(&bundle, &[]);
    assert!(said.code == Some(1) && said.err.contains("twice"), "{said:?}");
    let whole = fs::read(&bundle).unwrap();
    fs::write(&bundle, &whole[..whole.len() / 2 + 100]).unwrap();
    assert_eq!(scene.verify(&bundle, &[]).code, Some(1));
    fs::write(&bundle, b"no tar").unwrap();
    assert!(matches!(scene.verify(&bundle, &[]).code, Some(1 | 3)));
}

#[test]
fn a_proof_proves_its_entry_and_no_other() {
    let scene = Scene::new();
    let (tiles, vkey) = (scene.tiles(), scene.at("vkey"));
    for index in [0, 255, 256, 1099] {
        let (proof, entry) = (scene.at(&format!("{index}.proof")), scene.at(&format!("{index}.entry")));
        let (text, head) = (index.to_string(), ["ledger", "prove"].map(Path::new));
        let more = [&*tiles, Path::new(&text), Path::new("--out"), &*proof, Path::new("--entry"), &*entry];
        let _ = meterkeep(head.iter().chain(&more)).good();
        assert_eq!(fs::read(&entry).unwrap(), scene.log.entries[index]);
        let check = |proof: &Path, entry: &Path| {
            let head = ["ledger", "check-proof", "--format", "json", "--key"].map(Path::new);
            meterkeep(head.iter().chain(&[&*vkey, proof, entry]))
        };
        let said = answer(&check(&proof, &entry), 0);
        assert_eq!((&said["index"], &said["size"]), (&json!(index), &json!(SIZE)));
        let other = scene.at("other");
        fs::write(&other, "another").unwrap();
        assert_eq!(answer(&check(&proof, &other), 3)["fault"], "proof");
        let bent = fs::read_to_string(&proof).unwrap().replacen(&format!("index {index}"), "index 7", 1);
        fs::write(&other, bent).unwrap();
        assert_eq!(answer(&check(&other, &entry), 3)["fault"], "proof");
        assert_eq!(check(&entry, &entry).code, Some(1), "an entry is no proof");
    }
    let beyond = meterkeep([Path::new("ledger"), Path::new("prove"), &tiles, Path::new("1100")]);
    assert_eq!(beyond.code, Some(2), "{beyond:?}");
    let mut entries = scene.log.entries.clone();
    entries[5][0] ^= 1;
    scene.entries(&entries);
    let bent = meterkeep([Path::new("ledger"), Path::new("prove"), &tiles, Path::new("5")]);
    assert!(bent.code == Some(1) && bent.err.contains("not the one that was signed"), "{bent:?}");
}

#[test]
fn a_wrong_question_is_told_from_a_wrong_log() {
    let scene = Scene::new();
    let (tiles, vkey) = (scene.tiles().display().to_string(), scene.at("vkey").display().to_string());
    let witness = crate::memory::witness_signer(1).verifier().to_string();
    let code = |more: &[&str]| meterkeep(["ledger", "verify"].iter().chain(more)).code;
    assert_eq!(code(&[&tiles]), Some(2), "no key");
    assert_eq!(code(&[&tiles, "--key", "no key"]), Some(2));
    assert_eq!(code(&[&tiles, "--key", &witness]), Some(2), "a witness' key");
    assert_eq!(code(&[&tiles, "--key", &vkey, "--witness", &vkey]), Some(2), "a log's key");
    assert_eq!(code(&[&tiles, "--key", &vkey, "--quorum", "1"]), Some(2), "no witness");
    assert_eq!(code(&[&tiles, "--key", &vkey, "--witness", &witness, "--quorum", "2"]), Some(2));
    assert_eq!(code(&[&tiles, "--key", &vkey, "--from", "5", "--to", "5"]), Some(2));
    assert_eq!(code(&[&tiles, "--key", &vkey, "--from", "5", "--to", "1101"]), Some(2));
    assert_eq!(code(&["/nowhere", "--key", &vkey]), Some(1));
    assert_eq!(code(&[&tiles, "--key", &vkey, "--kept", "/nowhere"]), Some(1));
    assert_eq!(code(&[&tiles, "--key", &vkey, "--kept", &vkey]), Some(1), "kept, and no checkpoint");
    assert_eq!(code(&[&tiles, "--key", &vkey, "--witness", &witness]), Some(3), "nobody cosigned");
    assert_eq!(code(&[&tiles, "--key", &vkey, "--witness", &witness, "--quorum", "0"]), Some(0));
}
