//! BM25, with the constants that the seeds give.

use std::collections::HashMap;

use crate::memory::database::Row;

/// The seed's `bm25_k1`.
const K1: f64 = 1.5;
/// The seed's `bm25_b`.
const B: f64 = 0.75;

/// The rows that share a word with the query, best first, each with its score.
pub(super) fn rank(query: &str, rows: Vec<Row>, limit: usize) -> Vec<(Row, f64)> {
    let documents: Vec<Vec<String>> = rows.iter().map(|row| words(&row.text)).collect();
    let count = documents.len() as f64;
    let average = documents.iter().map(Vec::len).sum::<usize>() as f64 / count.max(1.0);
    let mut containing: HashMap<String, f64> = HashMap::new();
    for word in words(query) {
        let number = documents.iter().filter(|document| document.contains(&word)).count() as f64;
        containing.insert(word, number);
    }
    let mut ranked: Vec<(Row, f64)> = Vec::new();
    for (row, document) in rows.into_iter().zip(&documents) {
        let mut score = 0.0;
        for (word, number) in &containing {
            let frequency = document.iter().filter(|other| *other == word).count() as f64;
            let rarity = (1.0 + (count - number + 0.5) / (number + 0.5)).ln();
            let length = 1.0 - B + B * document.len() as f64 / average.max(1.0);
            score += rarity * frequency * (K1 + 1.0) / (frequency + K1 * length);
        }
        if score > 0.0 {
            ranked.push((row, score));
        }
    }
    ranked.sort_by(|(_, left), (_, right)| right.total_cmp(left));
    ranked.truncate(limit);
    ranked
}

fn words(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: i64, text: &str) -> Row {
        Row { id, user_id: "u".to_owned(), text: text.to_owned(), created_at: String::new() }
    }

    #[test]
    fn the_row_with_more_of_the_rare_words_comes_first() {
        let rows = vec![row(1, "the weather"), row(2, "the weather in Paris"), row(3, "the report")];
        let ranked = rank("Paris weather?", rows, 10);
        let ids: Vec<i64> = ranked.iter().map(|(row, _)| row.id).collect();
        assert_eq!(ids, [2, 1]);
    }

    #[test]
    fn nothing_matches_nothing() {
        assert!(rank("anything", Vec::new(), 10).is_empty());
        assert!(rank("", vec![row(1, "text")], 10).is_empty());
    }
}
