//! Letters about hand-made runs, in every form.

use crate::model::addressee::Occasion;
use crate::model::value::Value;
use crate::report::letter::{
    ChatTemplate, Letter, LetterMood, LetterPart, letter_html, letter_of_run, letter_text,
};
use crate::report::record::Record;
use crate::report::tests::samples::deploy;

fn letter() -> Letter {
    let mut record = Record::default();
    deploy().iter().for_each(|event| record.apply(event));
    letter_of_run(&record)
}

/// A letter whose hosts mean harm.
fn hostile() -> Letter {
    let nasty =
        "<script>alert(1)</script> ``` <!channel> *b* [x](http://y) \" \\ </code> {{ 7*7 }}".to_owned();
    Letter {
        title: nasty.clone(),
        verdict: "1 failed".to_owned(),
        mood: LetterMood::Failed,
        changed: false,
        facts: vec![nasty.clone()],
        parts: vec![
            LetterPart::Table { headings: vec!["host"], rows: vec![vec![nasty.clone()]], more: None },
            LetterPart::Problem {
                heading: nasty.clone(),
                what: nasty.clone(),
                output: nasty.clone(),
                hint: nasty.clone(),
            },
            LetterPart::Lines(nasty),
        ],
    }
}

#[test]
fn a_letter_says_what_a_recap_does() {
    insta::assert_snapshot!(letter_text(&letter()));
}

#[test]
fn html_has_its_styles_on_its_elements_and_loads_nothing() {
    for letter in [letter(), hostile()] {
        let html = letter_html(&letter);
        for never in ["<script", "<style", "<link", "<img", "src=", "href=", "class=", "url("] {
            assert!(!html.contains(never), "{never}: {html}");
        }
        assert!(html.contains("style=\""), "{html}");
    }
    assert!(letter_html(&hostile()).contains("&lt;script&gt;"));
}

#[test]
fn a_letter_that_is_too_long_for_a_mail_program_is_cut_between_parts() {
    let long = LetterPart::Lines("x".repeat(60_000));
    let html = letter_html(&Letter { parts: vec![long.clone(), long.clone(), long], ..letter() });
    assert!(html.len() < 100 * 1024 && html.contains("The rest is in the attached report"), "{}", html.len());
    assert!(html.trim_end().ends_with("</html>"));
}

#[test]
fn chats_get_json_in_which_nothing_of_a_host_is_markup() {
    let written = |name: &str| {
        let text = ChatTemplate::shipped(name).unwrap().render(&hostile(), &Value::Null).unwrap();
        serde_json::from_str::<Value>(&text).unwrap()
    };
    let slack = written("slack");
    let text = slack["text"].as_str().unwrap();
    assert!(!text.contains('<') && text.matches("```").count() == 2, "{text}");
    let teams = written("teams");
    let body = &teams["attachments"][0]["content"]["body"];
    assert!(body[0]["text"].as_str().unwrap().contains("\\[x\\]"), "{teams}");
    assert_eq!(body[0]["color"], "Attention");
    assert_eq!(body[1]["inlines"][0]["type"], "TextRun");
    let matrix = written("matrix");
    let html = matrix["formatted_body"].as_str().unwrap();
    assert!(!html.contains("<script") && html.matches("</code>").count() == 1, "{html}");
    assert_eq!(matrix["msgtype"], "m.notice");
}

#[test]
fn a_template_of_one_s_own_is_tried_before_it_is_needed() {
    let good = "{\"summary\": {{ subject }}, \"source\": {{ report.run }}, \"hosts\": {{ facts[0] }}}";
    let template = ChatTemplate::of(good.to_owned(), "page.json.j2").unwrap();
    let report = serde_json::json!({"run": "01J"});
    let value: Value = serde_json::from_str(&template.render(&letter(), &report).unwrap()).unwrap();
    assert_eq!(value["source"], "01J");
    // What is only missing in this report is an error then.
    assert!(template.render(&letter(), &serde_json::json!({})).is_err());
    let text = ChatTemplate::of("{{ subject }} <b>".to_owned(), "note.txt.j2").unwrap();
    assert!(text.render(&letter(), &Value::Null).unwrap().ends_with(" <b>"));
    for (source, says) in [
        ("{{ subject", "line 1"),
        ("{\"a\": {{ subject }}", "not JSON"),
        ("{\"a\": {{ subject|nofilter }}}", "nofilter"),
        ("{% for i in range(9000000) %}{% endfor %}1", "line 1"),
    ] {
        let why = ChatTemplate::of(source.to_owned(), "x.json").unwrap_err();
        assert!(why.contains(says), "{source}: {why}");
    }
}

#[test]
fn a_letter_is_for_the_occasions_that_it_is() {
    let well = Letter { mood: LetterMood::Well, changed: false, ..letter() };
    let failed = Letter { mood: LetterMood::Failed, ..well.clone() };
    let changed = Letter { changed: true, ..well.clone() };
    let of = |occasions: &[Occasion]| [&well, &failed, &changed].map(|letter| letter.is_for(occasions));
    assert_eq!(of(&[]), [true, true, true]);
    assert_eq!(of(&[Occasion::Always]), [true, true, true]);
    assert_eq!(of(&[Occasion::Failure]), [false, true, false]);
    assert_eq!(of(&[Occasion::Change]), [false, false, true]);
    assert_eq!(of(&[Occasion::Failure, Occasion::Change]), [false, true, true]);
}
