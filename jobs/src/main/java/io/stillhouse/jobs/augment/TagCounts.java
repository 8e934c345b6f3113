package io.stillhouse.jobs.augment;

import io.stillhouse.augment.PartsOfSpeech;
import io.stillhouse.augment.Span;
import io.stillhouse.augment.WordSplit;
import io.stillhouse.augment.WordsByTag;
import io.stillhouse.jobs.corpus.SourceRow;
import java.io.Serializable;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.LongConsumer;
import java.util.stream.Stream;
import org.apache.spark.api.java.JavaRDD;
import scala.Tuple2;

/** Counts the words of a corpus by part of speech. */
final class TagCounts {
  private TagCounts() {}

  /** A word with one of its tags. */
  record TaggedWord(String tag, String word) implements Serializable {}

  /** Counts the words of all rows with text. */
  static WordsByTag of(JavaRDD<SourceRow> rows, Done done) {
    Map<String, Map<String, Long>> byTag = new TreeMap<>();
    rows.mapPartitionsToPair(partition -> count(partition, done::rows))
        .reduceByKey(Long::sum)
        .collect()
        .forEach(
            counted ->
                byTag
                    .computeIfAbsent(counted._1.tag(), tag -> new HashMap<>())
                    .put(counted._1.word(), counted._2));
    return new WordsByTag(byTag);
  }

  /** Receives the number of rows done, in a task. */
  interface Done extends Serializable {
    void rows(long more);
  }

  /** Counts the words of a partition. */
  static Iterator<Tuple2<TaggedWord, Long>> count(Iterator<SourceRow> rows, LongConsumer done) {
    PartsOfSpeech partsOfSpeech = PartsOfSpeech.english();
    Map<TaggedWord, Long> counts = new HashMap<>();
    while (rows.hasNext()) {
      SourceRow row = rows.next();
      if (AugmentTask.reasonLeftOut(row) == null) {
        Stream.of(row.text(), row.pair() == null ? "" : row.pair())
            .forEach(text -> add(partsOfSpeech, text, counts));
      }
      done.accept(1);
    }
    return counts.entrySet().stream()
        .map(entry -> new Tuple2<>(entry.getKey(), entry.getValue()))
        .iterator();
  }

  private static void add(PartsOfSpeech partsOfSpeech, String text, Map<TaggedWord, Long> counts) {
    List<String> words = WordSplit.of(text).stream().map((Span word) -> word.of(text)).toList();
    List<String> tags = partsOfSpeech.tags(words);
    for (int word = 0; word < words.size(); word++) {
      counts.merge(new TaggedWord(tags.get(word), words.get(word)), 1L, Long::sum);
    }
  }
}
