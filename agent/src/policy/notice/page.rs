//! The last result as a single page: no script, no external resources, nothing that identifies a person.

use std::fmt::{Display, Formatter, Result};

use jiff::Timestamp;
use policies::outcome::Verdict;
use policies::phrase::{VIET_NAM, date};
use policies::text::{Language, Text, visible};

use super::{Notice, NoticeResult};

/// The most characters of one text.
const MOST: usize = 2_000;
/// A result older than this many days is shown as old.
const OLD_DAYS: i64 = 2;
const DAY: i64 = 24 * 60 * 60 * 1000;

/// The page of a notice in one language, as of `now`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Page<'a> {
    /// What to show.
    pub(crate) notice: &'a Notice,
    /// The language of all text on it.
    pub(crate) language: Language,
    /// The time at which it is viewed.
    pub(crate) now: Timestamp,
}

/// A time in Viet Nam's time zone, such as `25/11/2026 09:30`.
pub(crate) fn moment(at: i64) -> String {
    let at = Timestamp::from_millisecond(at).unwrap_or_default();
    let hour = VIET_NAM.to_datetime(at);
    format!("{} {:02}:{:02}", date(at).vi, hour.hour(), hour.minute())
}

/// Untrusted text, escaped for use between tags and in attributes.
struct Safe<'a>(&'a str);

impl Display for Safe<'_> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> Result {
        for character in visible(self.0, MOST).chars() {
            match character {
                '<' => formatter.write_str("&lt;")?,
                '>' => formatter.write_str("&gt;")?,
                '&' => formatter.write_str("&amp;")?,
                '"' => formatter.write_str("&quot;")?,
                '\'' => formatter.write_str("&#39;")?,
                other => write!(formatter, "{other}")?,
            }
        }
        Ok(())
    }
}

impl Page<'_> {
    fn text<'t>(&self, vi: &'t str, en: &'t str) -> &'t str {
        self.language.text(vi, en)
    }

    fn safe<'t>(&self, text: &'t Text) -> Safe<'t> {
        Safe(text.get(self.language))
    }

    fn of(&self, verdict: Verdict) -> impl Iterator<Item = &NoticeResult> {
        self.notice.results.iter().filter(move |result| result.verdict == verdict)
    }

    fn head(&self, formatter: &mut Formatter<'_>) -> Result {
        let title = self.text("Kết quả kiểm tra an ninh mạng của máy này", "Security check of this machine");
        let language = self.language.code();
        write!(
            formatter,
            "<!doctype html>\n<html lang=\"{language}\"><head><meta charset=\"utf-8\">\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>{title}</title>\
             <style>{STYLE}</style></head>\n<body><header><b>Trạm An</b> - {}</header><main><h1>{title}</h1>\n",
            self.text("phần mềm theo dõi an ninh mạng máy tính", "computer security monitoring"),
        )
    }

    fn machine(&self, formatter: &mut Formatter<'_>) -> Result {
        let notice = self.notice;
        let unknown = self.text("chưa xác định", "unknown");
        let heard = match notice.server_at {
            0 => self.text("chưa lần nào", "never").to_owned(),
            at => moment(at),
        };
        let rows = [
            (self.text("Máy", "Machine"), notice.machine.as_deref().unwrap_or(unknown)),
            (self.text("Hệ điều hành", "System"), notice.system.as_deref().unwrap_or(unknown)),
            (self.text("Cơ quan", "Office"), &notice.assignment.office),
            (self.text("Bộ tiêu chí", "Policy"), notice.policy.get(self.language)),
            (self.text("Kiểm tra lúc", "Checked at"), &moment(notice.judged_at)),
            (self.text("Liên lạc với máy chủ lần cuối", "Last contact with the server"), &heard),
        ];
        formatter.write_str("<dl>")?;
        for (label, value) in rows {
            write!(formatter, "<dt>{label}</dt><dd>{}</dd>", Safe(value))?;
        }
        formatter.write_str("</dl>\n")?;
        if self.now.as_millisecond() - notice.judged_at > OLD_DAYS * DAY {
            let old = self.text(
                "Kết quả này đã cũ: phần mềm trên máy có thể không chạy. Hãy báo cán bộ phụ trách công nghệ thông tin.",
                "This result is old: the agent may not be running. Tell the officer in charge.",
            );
            writeln!(formatter, "<p class=\"old\">{old}</p>")?;
        }
        for warning in &notice.warnings {
            writeln!(formatter, "<p class=\"old\">{}</p>", self.safe(warning))?;
        }
        writeln!(formatter, "<p class=\"sum\">{}</p>", self.notice.counted(self.language))
    }

    fn open(&self, result: &NoticeResult, formatter: &mut Formatter<'_>) -> Result {
        let class = if result.verdict == Verdict::Fail { "fail" } else { "unknown" };
        write!(
            formatter,
            "<section class=\"{class}\"><h3><span class=\"badge\">{}</span> {}</h3><p><b>{}:</b> {}<br><b>{}:</b> {}<br>\
             <b>{}:</b> {} - {} {}</p>",
            self.safe(&result.verdict.text()),
            self.safe(&result.title),
            self.text("Hiện trạng", "Found"),
            self.safe(&result.found),
            self.text("Mức cần đạt", "Wanted"),
            self.safe(&result.wanted),
            self.text("Khắc phục", "Fix"),
            self.safe(&result.lifted_by),
            result.minutes,
            self.text("phút", "minutes"),
        )?;
        if let Some(cause) =
            result.implied_by.as_ref().and_then(|id| self.notice.results.iter().find(|one| one.control == *id))
        {
            let because = self.text("Hết khi khắc phục xong", "Goes away when this is fixed");
            write!(formatter, "<p>{because}: {}</p>", self.safe(&cause.title))?;
        } else if !result.fix.is_empty() {
            formatter.write_str("<ol>")?;
            for step in &result.fix {
                write!(formatter, "<li>{}</li>", self.safe(step))?;
            }
            formatter.write_str("</ol>")?;
        }
        formatter.write_str("</section>\n")
    }

    fn list(&self, verdict: Verdict, heading: &str, formatter: &mut Formatter<'_>) -> Result {
        let mut results = self.of(verdict).peekable();
        if results.peek().is_none() {
            return Ok(());
        }
        write!(formatter, "<h2>{heading}</h2><ul>")?;
        for result in results {
            write!(formatter, "<li>{}", self.safe(&result.title))?;
            if verdict == Verdict::Pass {
                write!(formatter, " <small>{}</small>", self.safe(&result.found))?;
            }
            formatter.write_str("</li>")?;
        }
        formatter.write_str("</ul>\n")
    }
}

impl Display for Page<'_> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> Result {
        self.head(formatter)?;
        self.machine(formatter)?;
        for (verdict, heading) in [
            (Verdict::Fail, self.text("Cần khắc phục", "To be fixed")),
            (Verdict::Unknown, self.text("Chưa xác định được", "Not known")),
        ] {
            if self.of(verdict).next().is_some() {
                writeln!(formatter, "<h2>{heading}</h2>")?;
            }
            for result in self.of(verdict) {
                self.open(result, formatter)?;
            }
        }
        self.list(Verdict::Pass, self.text("Đã đạt", "Passed"), formatter)?;
        self.list(Verdict::NotApplicable, self.text("Không áp dụng cho máy này", "Not for this machine"), formatter)?;
        writeln!(
            formatter,
            "<footer>{}</footer></main></body></html>",
            self.text(
                "Trang này chỉ xem được trên máy. Sau khi khắc phục, kết quả mới có ở lần kiểm tra kế tiếp; cán bộ phụ trách có thể bấm \
                 \"Kiểm tra lại\" trên trang của máy.",
                "This page is only on this machine. After a fix, the next check shows the new result; the officer in charge can press \
                 \"Check again\" on the machine's page.",
            )
        )
    }
}

/// Also works in the browsers of Windows 7: no variables, no grid.
const STYLE: &str = "\
body{margin:0;font:16px/1.5 'Segoe UI',system-ui,'Noto Sans','Liberation Sans',Arial,sans-serif;color:#1c2733;background:#f3f5f8;overflow-wrap:anywhere;word-wrap:break-word}\
header{background:#16406b;color:#fff;padding:.6em 1em}main{max-width:56em;margin:0 auto;padding:0 1em 2em}\
h1{font-size:1.5em;line-height:1.25}h2{font-size:1.2em;margin:1.5em 0 .5em}h3{font-size:1em;margin:0 0 .3em}\
dl{background:#fff;border:1px solid #d3dae2;border-radius:.5em;padding:.75em 1em;margin:0;overflow:hidden}\
dt{float:left;clear:left;width:15em;color:#526070}dd{margin:0 0 .2em 15em}\
section{background:#fff;border:1px solid #d3dae2;border-left:.35em solid #b87900;border-radius:.3em;padding:.7em 1em;margin:.6em 0;page-break-inside:avoid}\
section.fail{border-left-color:#a3201a}section p{margin:.3em 0}ol,ul{margin:.3em 0;padding-left:1.6em}\
.badge{display:inline-block;border:1px solid;border-radius:1em;padding:0 .6em;font-size:.875em;color:#7a5200;background:#fff1cc}\
.fail .badge{color:#a3201a;background:#fde6e4}.sum{font-size:1.15em;font-weight:600}\
.old{background:#fff1cc;border-left:.3em solid #b87900;padding:.5em .75em}small,footer{color:#526070}footer{margin-top:2em;font-size:.875em}\
@media (max-width:40em){dt{float:none;width:auto}dd{margin-left:0}}@media print{body{background:#fff}}";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::notice::tests::sample;

    fn page(notice: &Notice, language: Language, after: i64) -> String {
        let now = Timestamp::from_millisecond(notice.judged_at + after).unwrap();
        Page { notice, language, now }.to_string()
    }

    #[test]
    fn shows_what_is_to_be_done_in_either_language() {
        let notice = sample();
        let vi = page(&notice, Language::Vi, 0);
        assert!(vi.contains("Cần khắc phục") && vi.contains("<ol><li>") && vi.contains("UBND xã Thử Nghiệm"), "{vi}");
        assert!(!vi.contains("Kết quả này đã cũ"));
        let en = page(&notice, Language::En, 3 * DAY);
        assert!(en.contains("To be fixed") && en.contains("This result is old"), "{en}");
    }

    #[test]
    fn what_a_machine_calls_itself_is_only_text() {
        let html = page(&sample(), Language::Vi, 0);
        assert!(html.contains("MÁY-VĂN-THƯ&lt;b&gt;") && !html.contains("THƯ<b>"), "{html}");
    }
}
