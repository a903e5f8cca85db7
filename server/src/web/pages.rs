//! Splitting long lists into pages.

use serde::Deserialize;

/// Which page of a list.
#[derive(Debug, Deserialize)]
pub(crate) struct PageQuery {
    #[serde(default)]
    page: Option<usize>,
}

/// A link to a page.
#[derive(Debug)]
pub(crate) struct PageLink {
    pub(crate) number: usize,
    pub(crate) here: bool,
}

impl PageQuery {
    /// Cuts `items` to the requested page (the last one, when there are fewer) of `size` items, and lists all pages.
    pub(crate) fn cut<T>(&self, items: &mut Vec<T>, size: usize) -> Vec<PageLink> {
        let count = items.len().div_ceil(size).max(1);
        let here = self.page.unwrap_or(1).clamp(1, count);
        items.drain(..(here - 1) * size);
        items.truncate(size);
        (1..=count).map(|number| PageLink { number, here: number == here }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_that_is_not_there_is_the_last_one() {
        let cut = |page: Option<usize>| {
            let mut items: Vec<u32> = (1..=5).collect();
            let pages = PageQuery { page }.cut(&mut items, 2);
            (items, pages.len(), pages.iter().position(|page| page.here).unwrap() + 1)
        };
        assert_eq!(cut(None), (vec![1, 2], 3, 1));
        assert_eq!(cut(Some(3)), (vec![5], 3, 3));
        assert_eq!(cut(Some(99)), (vec![5], 3, 3));
        assert_eq!(cut(Some(0)), (vec![1, 2], 3, 1));
        assert_eq!(PageQuery { page: Some(7) }.cut(&mut Vec::<u32>::new(), 2).len(), 1);
    }
}
