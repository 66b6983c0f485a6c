//! Canonical XML 1.0 (inclusive) and Exclusive XML Canonicalization 1.0, both without comments, over the tree.
//!
//! Written here and not taken from a library because the libraries at hand bring a second XML parser each, and a
//! signature checked on another parser's view than the one that is read protects nothing. The tree already
//! refuses what makes canonical XML hard (DOCTYPE, processing instructions, unusual names).

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::xml::{Attribute, Element, Node};

/// Which canonical form.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Form {
    /// `http://www.w3.org/TR/2001/REC-xml-c14n-20010315`
    Inclusive,
    /// `http://www.w3.org/2001/10/xml-exc-c14n#`, without a prefix list.
    Exclusive,
}

/// Prefix to namespace name, as an element's canonical form has them in effect.
type Scope = BTreeMap<Rc<str>, Rc<str>>;

/// The canonical bytes of `path`'s last element, whose ancestors are the elements before it, leaving out the
/// child `without` (an enveloped signature). `None` when an ancestor has an `xml:` attribute, whose inheritance
/// (Canonical XML 1.0 clause 2.4) is not built.
pub(crate) fn canonical(path: &[&Element], without: Option<&Element>, form: Form) -> Option<Vec<u8>> {
    let (element, ancestors) = path.split_last()?;
    let mut above = Scope::new();
    for ancestor in ancestors {
        if form == Form::Inclusive && ancestor.attributes.iter().any(|a| &*a.prefix == "xml") {
            return None;
        }
        above.extend(ancestor.declarations.iter().cloned());
    }
    let mut out = Vec::new();
    write(&mut out, element, without, form, &above, &Scope::new());
    Some(out)
}

/// `in_scope` is what the document has declared around the element, `rendered` what the output has.
fn write(
    out: &mut Vec<u8>,
    element: &Element,
    without: Option<&Element>,
    form: Form,
    in_scope: &Scope,
    rendered: &Scope,
) {
    if without.is_some_and(|w| std::ptr::eq(w, element)) {
        return;
    }
    let mut in_scope = in_scope.clone();
    in_scope.extend(element.declarations.iter().cloned());
    let needed: Scope = match form {
        Form::Inclusive => in_scope.clone(),
        Form::Exclusive => visibly_used(element),
    };
    let mut rendered = rendered.clone();
    let mut declared = Vec::new();
    for (prefix, uri) in needed {
        let current = rendered.get(&prefix).map_or("", |u| u);
        if *current != *uri {
            declared.push((Rc::clone(&prefix), Rc::clone(&uri)));
            rendered.insert(prefix, uri);
        }
    }
    out.push(b'<');
    name(out, &element.prefix, &element.local);
    for (prefix, uri) in declared {
        out.push(b' ');
        if prefix.is_empty() {
            out.extend_from_slice(b"xmlns");
        } else {
            name(out, "xmlns", &prefix);
        }
        value(out, &uri);
    }
    let mut attributes: Vec<&Attribute> = element.attributes.iter().collect();
    attributes.sort_by(|a, b| (&a.namespace, &a.local).cmp(&(&b.namespace, &b.local)));
    for attribute in attributes {
        out.push(b' ');
        name(out, &attribute.prefix, &attribute.local);
        value(out, &attribute.value);
    }
    out.push(b'>');
    for child in &element.children {
        match child {
            Node::Element(child) => write(out, child, without, form, &in_scope, &rendered),
            Node::Text(text) => escape(out, text, false),
        }
    }
    out.extend_from_slice(b"</");
    name(out, &element.prefix, &element.local);
    out.push(b'>');
}

/// The namespaces that the element's own name and its attributes' names use.
fn visibly_used(element: &Element) -> Scope {
    std::iter::once((&element.prefix, &element.namespace))
        .chain(element.attributes.iter().filter(|a| !a.prefix.is_empty()).map(|a| (&a.prefix, &a.namespace)))
        .filter(|(prefix, _)| &***prefix != "xml")
        .map(|(prefix, uri)| (Rc::clone(prefix), Rc::clone(uri)))
        .collect()
}

fn name(out: &mut Vec<u8>, prefix: &str, local: &str) {
    if !prefix.is_empty() {
        out.extend_from_slice(prefix.as_bytes());
        out.push(b':');
    }
    out.extend_from_slice(local.as_bytes());
}

fn value(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(b"=\"");
    escape(out, text, true);
    out.push(b'"');
}

fn escape(out: &mut Vec<u8>, text: &str, in_attribute: bool) {
    for byte in text.bytes() {
        match (byte, in_attribute) {
            (b'&', _) => out.extend_from_slice(b"&amp;"),
            (b'<', _) => out.extend_from_slice(b"&lt;"),
            (b'\r', _) => out.extend_from_slice(b"&#xD;"),
            (b'>', false) => out.extend_from_slice(b"&gt;"),
            (b'"', true) => out.extend_from_slice(b"&quot;"),
            (b'\t', true) => out.extend_from_slice(b"&#x9;"),
            (b'\n', true) => out.extend_from_slice(b"&#xA;"),
            _ => out.push(byte),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Part;
    use crate::xml::{Limits, parse};

    fn tree(text: &str) -> Element {
        parse(text, Part::Outer, Limits { elements: 99, depth: 9, attributes: 9, name: 64 }).ok().unwrap()
    }

    fn canonical_text(text: &str, form: Form) -> String {
        String::from_utf8(canonical(&[&tree(text)], None, form).unwrap()).unwrap()
    }

    /// Canonical XML 1.0 clause 3.3 (start and end tags), without its DOCTYPE and its unusual spacing in names.
    #[test]
    fn attributes_and_namespaces_come_in_order() {
        let input = "<doc>\n   <e1   />\n   <e3   name = \"elem3\"   id=\"elem3\"   />\n   <e5 a:attr=\"out\" \
                     b:attr=\"sorted\" attr2=\"all\" attr=\"I'm\"\n      xmlns:b=\"http://www.ietf.org\"\n      \
                     xmlns:a=\"http://www.w3.org\"\n      xmlns=\"http://example.org\"/>\n   <e6 xmlns=\"\" \
                     xmlns:a=\"http://www.w3.org\">\n      <e7 xmlns=\"http://www.ietf.org\">\n         <e8 xmlns=\"\" \
                     xmlns:a=\"http://www.w3.org\">\n            <e9 xmlns=\"\" xmlns:a=\"http://www.ietf.org\"/>\n         \
                     </e8>\n      </e7>\n   </e6>\n</doc>";
        let expected = "<doc>\n   <e1></e1>\n   <e3 id=\"elem3\" name=\"elem3\"></e3>\n   <e5 \
                        xmlns=\"http://example.org\" xmlns:a=\"http://www.w3.org\" xmlns:b=\"http://www.ietf.org\" \
                        attr=\"I'm\" attr2=\"all\" b:attr=\"sorted\" a:attr=\"out\"></e5>\n   <e6 \
                        xmlns:a=\"http://www.w3.org\">\n      <e7 xmlns=\"http://www.ietf.org\">\n         <e8 \
                        xmlns=\"\">\n            <e9 xmlns:a=\"http://www.ietf.org\"></e9>\n         </e8>\n      \
                        </e7>\n   </e6>\n</doc>";
        assert_eq!(canonical_text(input, Form::Inclusive), expected);
    }

    /// Canonical XML 1.0 clause 3.4 (character modifications), without the parts that need a DOCTYPE.
    #[test]
    fn characters_are_escaped_in_one_way() {
        let input = "<doc>\r\n   <text>First line&#x0d;&#10;Second line</text>\n   <value>&#x32;</value>\n   \
                     <compute><![CDATA[value>\"0\" && value<\"10\" ?\"valid\":\"error\"]]></compute>\n   \
                     <norm attr=' &apos;   &#x20;&#13;&#xa;&#9;   &apos; '/><!-- gone --></doc>";
        let expected = "<doc>\n   <text>First line&#xD;\nSecond line</text>\n   <value>2</value>\n   \
                        <compute>value&gt;\"0\" &amp;&amp; value&lt;\"10\" ?\"valid\":\"error\"</compute>\n   \
                        <norm attr=\" '    &#xD;&#xA;&#x9;   ' \"></norm></doc>";
        assert_eq!(canonical_text(input, Form::Inclusive), expected);
        assert_eq!(canonical_text(input, Form::Exclusive), expected);
    }

    /// Exclusive XML Canonicalization 1.0 clause 2.2: the same `n1:elem2` out of two surroundings.
    #[test]
    fn the_exclusive_form_leaves_the_surroundings_out() {
        let elem2 = "<n1:elem2 xmlns:n1=\"http://example.net\" xml:lang=\"en\"><n3:stuff \
                     xmlns:n3=\"ftp://example.org\"></n3:stuff></n1:elem2>";
        for outer in [
            "<n0:local xmlns:n0=\"foo:bar\" xmlns:n3=\"ftp://example.org\">",
            "<n2:pdu xmlns:n1=\"http://example.com\" xmlns:n2=\"http://foo.example\" xmlns:n3=\"ftp://example.org\">",
        ] {
            let end = outer.split_once(' ').unwrap().0.replace('<', "</");
            let inner = "<n1:elem2 xmlns:n1=\"http://example.net\" xml:lang=\"en\"><n3:stuff/></n1:elem2>";
            let root = tree(&format!("{outer}{inner}{end}>"));
            let child = root.elements().next().unwrap();
            let got = canonical(&[&root, child], None, Form::Exclusive).unwrap();
            assert_eq!(String::from_utf8(got).unwrap(), elem2);
        }
    }

    /// The same clause: the inclusive form of a subtree carries everything around it.
    #[test]
    fn the_inclusive_form_of_a_subtree_brings_its_scope() {
        let root = tree("<a xmlns=\"u:0\" xmlns:p=\"u:1\"><b><c xmlns=\"\"/></b></a>");
        let b = root.elements().next().unwrap();
        let got = canonical(&[&root, b], None, Form::Inclusive).unwrap();
        assert_eq!(
            String::from_utf8(got).unwrap(),
            "<b xmlns=\"u:0\" xmlns:p=\"u:1\"><c xmlns=\"\"></c></b>"
        );
        let inherits = tree("<a xml:lang=\"en\"><b/></a>");
        let b = inherits.elements().next().unwrap();
        assert!(canonical(&[&inherits, b], None, Form::Inclusive).is_none());
    }
}
