package io.stillhouse.jobs.augment;

import io.stillhouse.augment.PartsOfSpeech;
import io.stillhouse.augment.Rewritten;
import io.stillhouse.augment.RuleAugmentation;
import io.stillhouse.augment.Span;
import io.stillhouse.augment.WordSplit;
import io.stillhouse.jobs.corpus.SourceRow;
import java.util.ArrayList;
import java.util.List;

/** Makes copies by rules. Of a pair they change the first text, the second, or both, in turn. */
final class RuleAugmenter implements Augmentation.Augmenter {
  private final RuleAugmentation rules;
  private final int copies;
  private final PartsOfSpeech partsOfSpeech = PartsOfSpeech.english();

  RuleAugmenter(RuleAugmentation rules, int copies) {
    this.rules = rules;
    this.copies = copies;
  }

  @Override
  public List<Augmentation.Copies> of(List<SourceRow> rows) {
    return rows.stream().map(this::copies).toList();
  }

  private Augmentation.Copies copies(SourceRow row) {
    Tagged text = tagged(row.text());
    Tagged pair = row.pair() == null ? null : tagged(row.pair());
    List<Augmentation.Texts> texts = new ArrayList<>(copies);
    long words = 0;
    long replaced = 0;
    for (int copy = 1; copy <= copies; copy++) {
      String[] copied = {row.text(), row.pair()};
      for (int side = 0; side < (pair == null ? 1 : 2); side++) {
        Tagged own = side == 0 ? text : pair;
        Rewritten.Place place = new Rewritten.Place(copy, side);
        if (pair == null || RuleAugmentation.changes(place)) {
          Rewritten rewritten = rules.copy(own.text(), own.words(), own.tags(), row.key(), place);
          copied[side] = rewritten.text();
          words += rewritten.words();
          replaced += rewritten.replaced();
        } else {
          words += own.words().size();
        }
      }
      texts.add(new Augmentation.Texts(copied[0], copied[1]));
    }
    return new Augmentation.Copies(texts, words, replaced, 0);
  }

  private record Tagged(String text, List<Span> words, List<String> tags) {}

  private Tagged tagged(String text) {
    List<Span> words = WordSplit.of(text);
    return new Tagged(
        text, words, partsOfSpeech.tags(words.stream().map(word -> word.of(text)).toList()));
  }
}
