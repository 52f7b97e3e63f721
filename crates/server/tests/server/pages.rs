//! Long lists: complete without parameters, and in pages, filters and tags with them.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::common::{Caller, House, segment};
use crate::shape::{expect_fields, expect_time};

const BOTH: [&str; 2] = ["/blockStatus/my", "/blockStatus/room/den"];

/// Ann owns the den and has banned these from it; her own list holds them too.
async fn banned(house: &House, ids: &[String]) -> Caller {
    house.room("den").owner("ann").await;
    let data: Vec<Value> = ids.iter().map(|id| json!({"_id": id, "nickname": id.to_uppercase()})).collect();
    for some in data.chunks(500) {
        house.platform().post("/admin/clients/list", json!({"data": some})).await.expect_ok();
    }
    let ann = house.user("ann").await;
    for some in ids.chunks(50) {
        join_all(some.iter().map(|id| async { ann.bans("den", id).await.expect_ok() })).await;
    }
    ann
}

fn numbered(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("u{number:04}")).collect()
}

fn ids_of(page: &Value) -> Vec<String> {
    let data = page["data"].as_array().unwrap_or_else(|| panic!("no data: {page}"));
    data.iter().map(|entry| entry["blockee"]["_id"].as_str().unwrap().to_owned()).collect()
}

/// The rest of a list from a cursor on, in pages of `limit`.
async fn pages(reader: &Caller, path: &str, limit: usize, mut cursor: Option<String>) -> Vec<Vec<String>> {
    let mut pages = Vec::new();
    loop {
        let at = cursor.map(|cursor| format!("&cursor={}", segment(&cursor))).unwrap_or_default();
        let page = reader.get(&format!("{path}?limit={limit}{at}")).await.expect_ok();
        pages.push(ids_of(&page));
        cursor = page.get("nextCursor").map(|next| next.as_str().expect("a cursor is a text").to_owned());
        if cursor.is_none() {
            return pages;
        }
    }
}

each_store! {
    async fn r01_the_bare_call_is_complete_whatever_its_length(house: House) {
        let everybody = numbered(1_050);
        let ann = banned(&house, &everybody).await;
        for path in BOTH {
            let whole = ann.get(path).await.expect_ok();
            expect_fields(&whole, &["data"]);
            let mut ids = ids_of(&whole);
            let times: Vec<i64> = whole["data"].as_array().unwrap().iter().map(|e| expect_time(&e["updatedAt"])).collect();
            assert!(times.is_sorted_by(|a, b| a >= b), "newest first");
            assert_eq!(pages(&ann, path, 400, None).await.concat(), ids, "pages and the bare call agree");
            ids.sort();
            assert_eq!(ids, everybody);
        }
    }

    async fn r03_pages_cover_the_list_once_in_its_order(house: House) {
        let ann = banned(&house, &numbered(7)).await;
        for path in BOTH {
            let whole = ids_of(&ann.get(path).await.expect_ok());
            for limit in [1, 2, 3, 6] {
                let pages = pages(&ann, path, limit, None).await;
                assert_eq!(pages.len(), 7_usize.div_ceil(limit), "limit {limit}");
                assert_eq!(pages.concat(), whole);
            }
            for limit in [7, 8, 1000] {
                let page = ann.get(&format!("{path}?limit={limit}")).await.expect_ok();
                expect_fields(&page, &["data"]);
                assert_eq!(ids_of(&page), whole);
            }
        }
    }

    async fn r03_pages_are_stable_while_the_list_changes(house: House) {
        let ann = banned(&house, &numbered(9)).await;
        house.users(["new1", "new2"]).await;
        for path in BOTH {
            let whole = ids_of(&ann.get(path).await.expect_ok());
            let first = ann.get(&format!("{path}?limit=3")).await.expect_ok();
            let cursor = first["nextCursor"].as_str().unwrap().to_owned();
            // One joins in front, one that was shown goes, one that was not shown goes.
            ann.bans("den", "new1").await.expect_ok();
            ann.unbans("den", &whole[1]).await.expect_ok();
            ann.unbans("den", &whole[5]).await.expect_ok();
            let rest = pages(&ann, path, 2, Some(cursor)).await.concat();
            let mut expected = whole[3..].to_vec();
            expected.remove(2);
            assert_eq!(rest, expected);
            ann.unbans("den", "new1").await.expect_ok();
            ann.bans("den", &whole[1]).await.expect_ok();
            ann.bans("den", &whole[5]).await.expect_ok();
        }
    }

    async fn r03_q_finds_by_id_and_by_nickname_whatever_the_case(house: House) {
        let ann = banned(&house, &numbered(3)).await;
        let people = json!([{"_id": "k1", "nickname": "Renée Straße"}, {"_id": "k2", "nickname": "100%_sure"}]);
        house.platform().post("/admin/clients/list", json!({"data": people})).await.expect_ok();
        for id in ["k1", "k2"] {
            ann.bans("den", id).await.expect_ok();
        }
        for path in BOTH {
            for (q, found) in [
                ("u000", vec!["u0002", "u0001", "u0000"]),
                ("U0001", vec!["u0001"]),
                ("RENÉE", vec!["k1"]),
                ("e str", vec!["k1"]),
                ("%", vec!["k2"]),
                ("_", vec!["k2"]),
                ("no one", vec![]),
            ] {
                let page = ann.get(&format!("{path}?q={}", segment(q))).await.expect_ok();
                let mut ids = ids_of(&page);
                ids.sort();
                let mut found: Vec<String> = found.into_iter().map(str::to_owned).collect();
                found.sort();
                assert_eq!(ids, found, "q={q}");
            }
        }
    }

    async fn r03_q_finds_a_deleted_blockee_by_his_id(house: House) {
        let ann = banned(&house, &["Émile".to_owned(), "Otto".to_owned()]).await;
        for id in ["Émile", "Otto"] {
            house.platform().delete(&format!("/admin/clients/{}", segment(id))).await.expect_ok();
        }
        for path in BOTH {
            for (q, found) in [("Émi", "Émile"), ("mil", "Émile"), ("otto", "Otto"), ("Otto", "Otto")] {
                let page = ann.get(&format!("{path}?q={}", segment(q))).await.expect_ok();
                assert_eq!(ids_of(&page), [found], "q={q}");
            }
        }
    }

    async fn r03_ids_asks_which_of_these(house: House) {
        let ann = banned(&house, &numbered(5)).await;
        for path in BOTH {
            let page = ann.get(&format!("{path}?ids=u0003,nobody,u0001,u0003")).await.expect_ok();
            let mut ids = ids_of(&page);
            ids.sort();
            assert_eq!(ids, ["u0001", "u0003"]);
            let many = numbered(200).join(",");
            assert_eq!(ids_of(&ann.get(&format!("{path}?ids={many}")).await.expect_ok()).len(), 5);
            let too_many = numbered(201).join(",");
            let answer = ann.get(&format!("{path}?ids={too_many}")).await;
            assert_eq!(answer.expect_error(400, "INVALID_QUERY").0, "Invalid parameters");
            // Filters narrow together, and pages turn within them.
            let page = ann.get(&format!("{path}?ids=u0000,u0001,u0002&q=U000&limit=2")).await.expect_ok();
            assert_eq!(ids_of(&page).len(), 2);
            let next = segment(page["nextCursor"].as_str().unwrap());
            let page = ann.get(&format!("{path}?ids=u0000,u0001,u0002&q=U000&limit=2&cursor={next}")).await.expect_ok();
            assert_eq!(ids_of(&page).len(), 1);
            expect_fields(&page, &["data"]);
        }
    }

    async fn r03_room_type_tells_blocks_from_bans(house: House) {
        let ann = banned(&house, &numbered(1)).await;
        house.user("bob").await;
        ann.blocks("bob").await.expect_ok();
        let of = |kind: &'static str| {
            let ann = ann.clone();
            async move { ids_of(&ann.get(&format!("/blockStatus/my?roomType={kind}")).await.expect_ok()) }
        };
        assert_eq!(of("direct").await, ["bob"]);
        assert_eq!(of("group").await, ["u0000"]);
        let answer = ann.get("/blockStatus/my?roomType=castle").await;
        assert_eq!(answer.expect_error(400, "INVALID_QUERY").0, "Invalid parameters");
    }

    async fn r03_since_tells_of_bans_that_go_and_return_with_their_room(house: House) {
        let ann = banned(&house, &numbered(1)).await;
        let since = async |moment: &Value| {
            let path = format!("/blockStatus/my?since={}", segment(moment.as_str().unwrap()));
            ann.get(&path).await.expect_list()
        };
        let made = ann.get("/blockStatus/my").await.expect_list()[0].clone();
        ann.delete("/rooms/den").await.expect_ok();
        assert_eq!(ann.get("/blockStatus/my").await.expect_list().len(), 0);
        let gone = since(&made["updatedAt"]).await;
        assert_eq!((gone.len(), &gone[0]["createdAt"]), (1, &made["createdAt"]), "{gone:?}");
        assert_eq!(gone[0]["unblockAt"], gone[0]["updatedAt"], "it left the list with its room");
        house.room("den").owner("ann").await;
        let back = since(&gone[0]["updatedAt"]).await;
        assert_eq!((back.len(), back[0].get("unblockAt")), (1, None), "it holds again: {back:?}");
        assert_eq!(back[0]["createdAt"], made["createdAt"]);
        assert_eq!(ann.get("/blockStatus/my").await.expect_list()[0]["updatedAt"], back[0]["updatedAt"]);
    }

    async fn r03_since_tells_what_changed_and_what_was_lifted(house: House) {
        let ann = banned(&house, &numbered(2)).await;
        ann.unbans("den", "u0000").await.expect_ok();
        for path in BOTH {
            let all = ann.get(&format!("{path}?since=0")).await.expect_list();
            assert_eq!(all.len(), 2, "{all:?}");
            let lifted = all.iter().find(|entry| entry["blockee"]["_id"] == "u0000").expect("the lifted one is told");
            assert!(expect_time(&lifted["unblockAt"]) >= expect_time(&lifted["createdAt"]));
            let active = all.iter().find(|entry| entry["blockee"]["_id"] == "u0001").expect("the active one is told");
            assert!(active.get("unblockAt").is_none_or(Value::is_null), "{active}");

            let moment = lifted["updatedAt"].as_str().unwrap();
            let later = ann.get(&format!("{path}?since={}", segment(moment))).await.expect_list();
            assert!(later.iter().all(|entry| expect_time(&entry["updatedAt"]) >= expect_time(&json!(moment))), "{later:?}");
            assert_eq!(ann.get(&format!("{path}?since=2999-01-01T00:00:00.000Z")).await.expect_list().len(), 0);
            // Without it, nothing of a lifted one is told.
            let bare = ann.get(path).await.expect_list();
            assert_eq!(bare.len(), 1);
            assert!(bare[0].get("unblockAt").is_none());
        }
    }

    async fn r03_a_bad_parameter_is_400_and_says_so(house: House) {
        let ann = banned(&house, &numbered(1)).await;
        for path in BOTH {
            for query in [
                "limit=0", "limit=-1", "limit=1001", "limit=x", "limit=1.5", "limit=99999999999999999999", "limit=",
                "cursor=x&limit=1", "cursor=AAAA&limit=1", "cursor=%00&limit=1", "since=yesterday", "since=2021-13-45T00:00:00Z",
                "since=-1e99", "ids=a%00b",
            ] {
                let answer = ann.get(&format!("{path}?{query}")).await;
                assert_eq!(answer.expect_error(400, "INVALID_QUERY").0, "Invalid parameters", "{query}");
            }
            ann.get(&format!("{path}?colour=red")).await.expect_ok();
        }
    }

    async fn a_cursor_that_was_tampered_with_is_refused(house: House) {
        let ann = banned(&house, &numbered(4)).await;
        for path in BOTH {
            let page = ann.get(&format!("{path}?limit=2")).await.expect_ok();
            let cursor = page["nextCursor"].as_str().unwrap();
            let shorter = &cursor[..cursor.len() - 1];
            let answer = ann.get(&format!("{path}?limit=2&cursor={}", segment(shorter))).await;
            assert_eq!(answer.expect_error(400, "INVALID_QUERY").0, "Invalid parameters");
            let longer = format!("{cursor}A");
            ann.get(&format!("{path}?limit=2&cursor={}", segment(&longer))).await.expect_error(400, "INVALID_QUERY");
        }
    }

    async fn r04_a_list_that_did_not_change_is_not_sent_again(house: House) {
        let ann = banned(&house, &numbered(3)).await;
        for path in ["/blockStatus/my", "/blockStatus/room/den", "/blockStatus/my?limit=2", "/blockStatus/room/den?q=u"] {
            let first = ann.get(path).await;
            let tag = first.header("etag").to_owned();
            assert!(tag.starts_with('"') && tag.ends_with('"') && tag.len() > 2, "a strong tag: {tag:?}");
            assert_eq!(ann.get(path).await.header("etag"), tag, "the same answer has the same tag");
            for asked in [tag.clone(), format!("\"other\", {tag}"), format!("W/{tag}"), "*".to_owned()] {
                let again = ann.clone().with_header("if-none-match", &asked).get(path).await;
                assert_eq!((again.status, again.bytes.len()), (304, 0), "{asked}: {again}");
                assert_eq!(again.header("etag"), tag);
            }
            let other = ann.clone().with_header("if-none-match", "\"other\"").get(path).await;
            assert_eq!(other.bytes, first.bytes);
        }
    }

    async fn r04_the_tag_changes_when_the_body_would(house: House) {
        let ann = banned(&house, &numbered(2)).await;
        for path in BOTH {
            let mut tags = std::collections::BTreeSet::new();
            let mut look = async |what: &str| {
                let answer = ann.get(path).await;
                assert!(tags.insert(answer.header("etag").to_owned()), "{what} changes the tag of {path}");
            };
            look("the first look").await;
            house.platform().post("/admin/clients", json!({"_id": "u0000", "nickname": format!("New {path}")})).await.expect_ok();
            look("a nickname").await;
            ann.unbans("den", "u0001").await.expect_ok();
            look("an unban").await;
            ann.bans("den", "u0001").await.expect_ok();
            look("a ban made again").await;
        }
    }

    async fn r04_each_encoding_has_its_tag(house: House) {
        let ann = banned(&house, &numbered(40)).await;
        for path in BOTH {
            let plain = ann.get(path).await;
            let packed = ann.clone().with_header("accept-encoding", "gzip").get(path).await;
            assert_eq!(packed.header("content-encoding"), "gzip", "a long list is packed for who can unpack it");
            assert_ne!(packed.header("etag"), plain.header("etag"));
            assert!(packed.header("vary").to_lowercase().contains("accept-encoding"));
            let tag = packed.header("etag").to_owned();
            let again = ann.clone().with_header("accept-encoding", "gzip").with_header("if-none-match", &tag).get(path).await;
            assert_eq!(again.status, 304, "{again}");
        }
    }
}
