//! The signature of a KEM2 file: an enveloped XML signature over the whole document.
//!
//! The vendor publishes a signing certificate but not the way of signing; an enveloped signature in the outer (or
//! the inner) document is what is understood here. The profile is narrow on purpose: one signature, a direct child
//! of the root, one reference to the whole document, SHA-2. Everything else is refused as "cannot be checked",
//! never passed over.

use aws_lc_rs::digest;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384,
    RSA_PKCS1_2048_8192_SHA512, VerificationAlgorithm,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::c14n::{Form, canonical};
use crate::error::{KeyFileError, shown};
use crate::signer::{Certificate, Signer, Trust};
use crate::xml::Element;

const DSIG: &str = "http://www.w3.org/2000/09/xmldsig#";
const ENVELOPED: &str = "http://www.w3.org/2000/09/xmldsig#enveloped-signature";

/// Certificates of one signature that are tried: the signer's own and perhaps its chain.
const MAX_CERTIFICATES: usize = 4;

/// What is known about who made a key file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signature {
    /// The file is not signed. KEM files never are.
    Absent,
    /// The signature fits the file.
    Valid(Signer),
}

/// Checks the signature of a document, if it has one.
pub(crate) fn check(root: &Element, trust: &Trust) -> Result<Signature, KeyFileError> {
    let mut signatures = root.descendants().filter(|e| &*e.local == "Signature" && &*e.namespace == DSIG);
    let Some(signature) = signatures.next() else { return Ok(Signature::Absent) };
    if signatures.next().is_some() || !root.elements().any(|e| std::ptr::eq(e, signature)) {
        return Err(unsupported("several signatures, or one that is not at the top"));
    }
    let info = only(signature, "SignedInfo")?;
    check_reference(root, signature, only(info, "Reference")?)?;
    let form = form(only(info, "CanonicalizationMethod")?)?;
    let signed =
        canonical(&[root, signature, info], None, form).ok_or_else(|| unsupported("xml: attributes"))?;
    let algorithm = algorithm(only(info, "SignatureMethod")?)?;
    let value = base64(only(signature, "SignatureValue")?)?;
    let enclosed: Vec<Vec<u8>> = signature
        .elements()
        .filter(|e| &*e.local == "KeyInfo" && &*e.namespace == DSIG)
        .flat_map(|info| info.all("X509Certificate"))
        .take(MAX_CERTIFICATES)
        .map(base64)
        .collect::<Result<_, _>>()?;
    // Without an enclosed certificate the trusted ones may still fit.
    let candidates: Vec<&[u8]> = match enclosed.is_empty() {
        true => trust.certificates().collect(),
        false => enclosed.iter().map(Vec::as_slice).collect(),
    };
    if candidates.is_empty() {
        return Err(unsupported("it names no certificate"));
    }
    candidates
        .into_iter()
        .filter_map(Certificate::read)
        .find(|certificate| certificate.verifies(algorithm, &signed, &value))
        .map(|certificate| Signature::Valid(trust.judge(&certificate)))
        .ok_or(KeyFileError::SignatureInvalid("the signature value does not fit its certificate"))
}

/// The one reference must be to the whole document without the signature, and its digest must fit.
fn check_reference(root: &Element, signature: &Element, reference: &Element) -> Result<(), KeyFileError> {
    if reference.attribute("URI") != Some("") {
        return Err(unsupported("it does not cover the whole document"));
    }
    let transforms: Vec<&Element> = only(reference, "Transforms")?.elements().collect();
    let form = match transforms.as_slice() {
        [first, rest @ ..] if first.attribute("Algorithm") == Some(ENVELOPED) => match rest {
            [] => Form::Inclusive, // what a document is turned into bytes with when nothing else is said
            [last] => form(last)?,
            _ => return Err(unsupported("more than two transforms")),
        },
        _ => return Err(unsupported("its first transform is not `enveloped-signature`")),
    };
    let method = only(reference, "DigestMethod")?.attribute("Algorithm").unwrap_or_default();
    let algorithm = match method {
        "http://www.w3.org/2001/04/xmlenc#sha256" => &digest::SHA256,
        "http://www.w3.org/2001/04/xmldsig-more#sha384" => &digest::SHA384,
        "http://www.w3.org/2001/04/xmlenc#sha512" => &digest::SHA512,
        other => return Err(unsupported(other)),
    };
    let bytes = canonical(&[root], Some(signature), form).ok_or_else(|| unsupported("xml: attributes"))?;
    if digest::digest(algorithm, &bytes).as_ref() != base64(only(reference, "DigestValue")?)? {
        return Err(KeyFileError::SignatureInvalid("its digest is another"));
    }
    Ok(())
}

fn form(method: &Element) -> Result<Form, KeyFileError> {
    if method.elements().next().is_some() {
        return Err(unsupported("a canonical form with parameters"));
    }
    match method.attribute("Algorithm").unwrap_or_default() {
        "http://www.w3.org/TR/2001/REC-xml-c14n-20010315" => Ok(Form::Inclusive),
        "http://www.w3.org/2001/10/xml-exc-c14n#" => Ok(Form::Exclusive),
        other => Err(unsupported(other)),
    }
}

fn algorithm(method: &Element) -> Result<&'static dyn VerificationAlgorithm, KeyFileError> {
    Ok(match method.attribute("Algorithm").unwrap_or_default() {
        "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256" => &RSA_PKCS1_2048_8192_SHA256,
        "http://www.w3.org/2001/04/xmldsig-more#rsa-sha384" => &RSA_PKCS1_2048_8192_SHA384,
        "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512" => &RSA_PKCS1_2048_8192_SHA512,
        "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256" => &ECDSA_P256_SHA256_FIXED,
        "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384" => &ECDSA_P384_SHA384_FIXED,
        other => return Err(unsupported(other)),
    })
}

/// The only child of that name in the namespace of XML signatures.
fn only<'a>(parent: &'a Element, local: &str) -> Result<&'a Element, KeyFileError> {
    let mut found = parent.elements().filter(|e| &*e.local == local && &*e.namespace == DSIG);
    match (found.next(), found.next()) {
        (Some(element), None) => Ok(element),
        _ => Err(unsupported(&format!("not exactly one `{local}`"))),
    }
}

fn base64(element: &Element) -> Result<Vec<u8>, KeyFileError> {
    let text = element.text().ok_or_else(|| unsupported("elements where base64 is due"))?;
    let compact: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    STANDARD.decode(compact).map_err(|_| KeyFileError::SignatureInvalid("a value in it is no base64"))
}

fn unsupported(what: &str) -> KeyFileError {
    KeyFileError::SignatureUnsupported(shown(what))
}
