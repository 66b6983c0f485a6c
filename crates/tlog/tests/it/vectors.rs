//! Published vectors: the trees and proofs of the Certificate Transparency reference code (RFC 6962), the notes of Go's
//! `sumdb/note`, the examples of C2SP.

use base::Secret;
use tlog::key::{Kind, VerifierKey};
use tlog::proof::{check_consistency, check_inclusion, consistency, inclusion};
use tlog::witness::Request;
use tlog::{Hash, Note, NoteError, Tree, TrustedTree, empty_root, leaf_hash};

use crate::memory::Log;

const LEAVES: [&str; 8] =
    ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];

const ROOTS: [&str; 8] = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

/// Leaf (from 1), size, proof.
const INCLUSION: [(u64, u64, &[&str]); 3] = [
    (
        6,
        8,
        &[
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ],
    ),
    (3, 3, &["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"]),
    (
        2,
        5,
        &[
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ],
    ),
];

const CONSISTENCY: [(u64, u64, &[&str]); 5] = [
    (1, 1, &[]),
    (
        1,
        8,
        &[
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ],
    ),
    (
        6,
        8,
        &[
            "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ],
    ),
    (
        2,
        5,
        &[
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ],
    ),
    (
        6,
        7,
        &[
            "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
            "b08693ec2e721597130641e8211e7eedccb4c26413963eee6c1e2ed16ffb1a5f",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ],
    ),
];

fn hash(text: &str) -> Hash {
    Hash::from_slice(&hex::decode(text).unwrap()).unwrap()
}

fn root(size: u64) -> Hash {
    if size == 0 { empty_root() } else { hash(ROOTS[size as usize - 1]) }
}

#[test]
fn trees_and_proofs_are_those_of_certificate_transparency() {
    assert_eq!(empty_root(), hash("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"));
    let leaves: Vec<Vec<u8>> = LEAVES.iter().map(|l| hex::decode(l).unwrap()).collect();
    let mut tree = Tree::new();
    for (n, leaf) in (1..).zip(&leaves) {
        tree.append(leaf_hash(leaf)).unwrap();
        assert_eq!(tree.root(), root(n), "{n}");
    }
    let mut log = Log::new();
    let checkpoint = log.append(leaves.clone());
    let mut tiles = TrustedTree::open(log.memory, 8, checkpoint.root()).unwrap();
    for (leaf, size, proof) in INCLUSION {
        let proof: Vec<Hash> = proof.iter().map(|h| hash(h)).collect();
        assert_eq!(inclusion(&mut tiles, leaf - 1, size).unwrap(), proof);
        let hash = leaf_hash(&leaves[leaf as usize - 1]);
        assert_eq!(check_inclusion(hash, leaf - 1, size, &proof, root(size)), Ok(()));
    }
    for (old, new, proof) in CONSISTENCY {
        let proof: Vec<Hash> = proof.iter().map(|h| hash(h)).collect();
        assert_eq!(consistency(&mut tiles, old, new).unwrap(), proof);
        assert_eq!(check_consistency(old, root(old), new, root(new), &proof), Ok(()));
    }
}

const TEXT: &str = "If you think cryptography is the answer to your problem,\n\
                    then you don't know what your problem is.\n";
const PETER: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const PETER_LINE: &str = "\u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
const ENOCH_LINE: &str = "\u{2014} EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n";
const ENOCH: &str = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop";

#[test]
fn notes_of_go_are_opened() {
    let peter = VerifierKey::parse(PETER).unwrap();
    assert_eq!(peter.to_string(), PETER);
    let note = Note::parse(format!("{TEXT}\n{ENOCH_LINE}{PETER_LINE}").as_bytes()).unwrap();
    assert_eq!(note.unchecked_text(), TEXT);
    // Enoch's key is unknown, which does not matter
    assert_eq!(note.check([&peter]).unwrap().len(), 1);
    let enoch = VerifierKey::parse(ENOCH).unwrap();
    assert_eq!(enoch.kind(), Kind::Log);
    let both: Vec<&str> = note.check([&peter, &enoch]).unwrap().iter().map(|v| v.key.name()).collect();
    assert_eq!(both, ["EnochRoot", "PeterNeumann"]);
    let bent = TEXT.replace("cryptography", "cryptographY");
    let note = Note::parse(format!("{bent}\n{PETER_LINE}").as_bytes()).unwrap();
    assert_eq!(note.check([&peter]), Err(NoteError::Signature("PeterNeumann".into())));
}

#[test]
fn a_key_of_go_gives_the_key_and_id_that_go_gives() {
    // PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz: 01, then the seed
    let seed = hex::decode("810a1402d5146c8d84f2443330f54080ebf98ee17d9c74f6252fc5d5c7283173").unwrap();
    let seed = Secret::from_slice(&seed).unwrap();
    let signer = tlog::key::LogSigner::from_seed("PeterNeumann", &seed).unwrap();
    assert_eq!(signer.verifier().to_string(), PETER);
}

const SOFA: &str = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n\
\u{2014} example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n\
\u{2014} witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n";

#[test]
fn the_examples_of_c2sp_are_read_and_written() {
    let note = Note::parse(SOFA.as_bytes()).unwrap();
    assert_eq!(note.bytes(), SOFA.as_bytes());
    let checkpoint = tlog::Checkpoint::parse(note.unchecked_text()).unwrap();
    assert_eq!(checkpoint.origin(), "example.com/behind-the-sofa");
    assert_eq!(checkpoint.size(), 20_852_163);
    assert_eq!(checkpoint.root(), hash("0ac5186a91863e8e1d90c808014aa89bf5da8e3ee1d9f07630f0378f68f1ab62"));
    assert_eq!(checkpoint.text(), note.unchecked_text());
    // the cosignature says its time in clear: 1679315147, as the text about it has it
    let cosignature = &note.signatures()[1];
    assert_eq!(cosignature.signature[..8], 1_679_315_147u64.to_be_bytes());

    let request = format!(
        "old 20852014\nPlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=\n\
         jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=\n5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=\n\
         /6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=\n\n{SOFA}"
    );
    let read = Request::parse(request.as_bytes()).unwrap();
    assert_eq!((read.old, read.proof.len()), (20_852_014, 4));
    assert_eq!(read.unchecked_origin().unwrap(), "example.com/behind-the-sofa");
    assert_eq!(read.write(), request.as_bytes());
}
