//! The notices on every page when the store cannot be relied on.

use super::Site;
use crate::store::StoreError;
use crate::store::person::PersonRole;
use crate::store::test_database::on_both;

on_both! {
    async fn a_page_says_when_its_figures_may_be_old_or_the_disk_is_full(test_database: &TestDatabase) {
        let site = Site::open(test_database).await;
        let mut officer = site.person("lan", PersonRole::Administrator, None).await;
        let mut head = site.person("huong", PersonRole::Head, None).await;
        assert!(!officer.get("/offices").await.has("role=\"alert\""));

        drop(site.app.db.health().noted(StoreError::Database(sqlx::Error::WorkerCrashed)));
        for browser in [&mut officer, &mut head] {
            assert!(browser.get("/offices").await.has("máy chủ không ghi được số liệu mới"));
        }
        site.office("Phường Hoà", None).await;
        assert!(!head.get("/offices").await.has("không ghi được"), "it was over with the first commit");

        site.app.space.found(1024 * 1024 * 1024, 100 * 1024 * 1024 * 1024);
        assert!(officer.get("/offices").await.has("sắp đầy (còn 1.024 MB)"));
        assert!(!head.get("/offices").await.has("MB)"), "nothing a head can do about it");
        site.app.space.found(0, 100 * 1024 * 1024 * 1024);
        assert!(officer.get("/offices").await.has("tạm ngừng nhận báo cáo"));

        site.app.db.health().damage_note("page 3".to_owned());
        assert!(head.get("/offices").await.has("bị hỏng"));
    }

    async fn whoever_logged_in_prints_the_checkpoint_of_the_evidence_log(test_database: &TestDatabase) {
        let site = Site::open(test_database).await;
        let mut browser = site.person("lan", PersonRole::Officer, None).await;
        let page = browser.get("/offices").await;
        let note = test_database.db.read().await.unwrap().log_checkpoint().await.unwrap().unwrap();
        let signed: Vec<&str> = note.text.lines().skip(1).collect();
        let shown = format!("Mốc đối chứng (kỳ, số mục, mã băm gốc): 1 / {} / {}", signed[0], signed[1]);
        assert!(page.has(&shown), "{shown}: {}", page.body);
        assert!(!site.browser().get("/login").await.has("Mốc đối chứng"));
    }
}
