package io.stillhouse.jobs.augment;

import io.stillhouse.augment.PartsOfSpeech;
import io.stillhouse.augment.Rewritten;
import io.stillhouse.augment.RuleAugmentation;
import io.stillhouse.augment.Span;
import io.stillhouse.augment.WordSplit;
import io.stillhouse.jobs.corpus.SourceRow;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Makes copies by rules. Copies of a pair change the first text, the second text, or both, in turn.
 */
final class RuleAugmenter implements Augmentation.Augmenter {
  private final RuleAugmentation rules;
  private final int copies;
  private final PartsOfSpeech partsOfSpeech = PartsOfSpeech.english();

  RuleAugmenter(RuleAugmentation rules, int copies) {
    this.rules = rules;
    this.copies = copies;
  }

  @Override
  public List<Augmentation.@Nullable Copies> of(List<SourceRow> rows) {
    return rows.stream().map(this::copies).toList();
  }

  private Augmentation.Copies copies(SourceRow row) {
    Tagged text = tagged(row.text());
    Tagged pair = row.pair() == null ? null : tagged(row.pair());
    List<Augmentation.Texts> texts = new ArrayList<>(copies);
    long words = 0;
    long replaced = 0;
    for (int copy = 1; copy <= copies; copy++) {
      Rewritten.CopyId first = new Rewritten.CopyId(copy, 0);
      if (pair == null) {
        Rewritten rewritten = rewrite(row, text, first);
        texts.add(new Augmentation.Texts(rewritten.text(), null));
        words += rewritten.words();
        replaced += rewritten.replaced();
        continue;
      }
      Rewritten one = rewriteInTurn(row, text, first);
      Rewritten two = rewriteInTurn(row, pair, new Rewritten.CopyId(copy, 1));
      texts.add(new Augmentation.Texts(one.text(), two.text()));
      words += one.words() + two.words();
      replaced += one.replaced() + two.replaced();
    }
    return new Augmentation.Copies(texts, words, replaced, 0);
  }

  private Rewritten rewriteInTurn(SourceRow row, Tagged text, Rewritten.CopyId copyId) {
    return RuleAugmentation.changes(copyId)
        ? rewrite(row, text, copyId)
        : new Rewritten(text.text(), text.words().size(), 0);
  }

  private Rewritten rewrite(SourceRow row, Tagged text, Rewritten.CopyId copyId) {
    return rules.copy(text.text(), text.words(), text.tags(), row.key(), copyId);
  }

  private record Tagged(String text, List<Span> words, List<String> tags) {}

  private Tagged tagged(String text) {
    List<Span> words = WordSplit.of(text);
    return new Tagged(
        text, words, partsOfSpeech.tags(words.stream().map(word -> word.of(text)).toList()));
  }
}
