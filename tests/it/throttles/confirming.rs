//! Confirming who one is counts as signing in.

use serde_json::json;

use super::{HOME, code, from, limited, passed, sign_in, sign_up, told};
use crate::session_list::Person;

#[tokio::test(flavor = "multi_thread")]
async fn confirming_a_password_counts_as_signing_in() {
    let app = limited(|limits| limits.sign_in = "4/h".parse().unwrap()).await;
    let answer = sign_up(&app, HOME, "ada").await;
    let ada = Person::of(&app, &told(&answer, "signUp")).client;
    let confirming = [
        "changePassword(input: { currentPassword: \"no\", newPassword: \"battery staple\" }) { userErrors { code } }",
        "deactivateMe(input: { password: \"no\" }) { userErrors { code } }",
        "deleteMe(input: { password: \"no\" }) { userErrors { code } }",
        "requestEmailChange(input: { newEmail: \"a@b\", password: \"no\" }) { userErrors { code } }",
    ];
    for mutation in confirming {
        let answer = from(HOME, &ada, &format!("mutation {{ {mutation} }}"), json!({})).await;
        let field = mutation.split('(').next().unwrap();
        assert_eq!(code(&answer, field), "INVALID_CREDENTIALS");
    }
    for mutation in confirming {
        let right = mutation.replace("\"no\"", "\"correct horse\"");
        let answer = from(HOME, &ada, &format!("mutation {{ {right} }}"), json!({})).await;
        assert!(!passed(&answer), "{mutation}");
    }
    let answer = sign_in(&app, HOME, "ada@example.com", "correct horse").await;
    assert!(!passed(&answer));
}
