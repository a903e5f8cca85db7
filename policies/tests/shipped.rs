//! The policy that comes with the product: it reads, and every control of it can pass and can fail.

use policies::policy::PolicySet;
use policies::text::Language;

#[test]
fn it_reads() {
    if let Err(errors) = PolicySet::shipped() {
        panic!("{}", errors.show(Language::Vi));
    }
}
