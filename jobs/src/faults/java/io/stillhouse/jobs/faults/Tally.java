package io.stillhouse.jobs.faults;

import static io.stillhouse.error.Text.format;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/** The counts and problems of one kind of fault. */
final class Tally {
  private final String counted;
  private final Map<String, Long> counts = new LinkedHashMap<>();
  private final List<String> problems = new ArrayList<>();
  private final long began = System.nanoTime();

  Tally(String counted) {
    this.counted = counted;
    add(counted, 0);
    add("runs", 0);
    add("tasks retried", 0);
    add("cells compared", 0);
    add("cells lost", 0);
    add("cells duplicated", 0);
    add("cells different", 0);
  }

  void add(String what, long count) {
    counts.merge(what, count, Long::sum);
  }

  String counted() {
    return counted;
  }

  long count() {
    return counts.get(counted);
  }

  void compared(String cache, Cells.Difference difference) {
    add("runs", 1);
    add("cells compared", difference.cells());
    add("cells lost", difference.lost());
    add("cells duplicated", difference.doubled());
    add("cells different", difference.unequal());
    require(difference.none(), format("%s differs: %s", cache, difference));
  }

  /** Records a problem if a condition does not hold. */
  void require(boolean holds, String problem) {
    if (!holds) {
      problems.add(problem);
    }
  }

  boolean passed() {
    return problems.isEmpty();
  }

  Map<String, Object> counts() {
    Map<String, Object> all = new LinkedHashMap<>(counts);
    all.put("seconds", (System.nanoTime() - began) / 1_000_000_000L);
    all.put("problems", problems);
    return all;
  }

  String words() {
    String numbers =
        counts.entrySet().stream()
            .map(count -> format("%,d %s", count.getValue(), count.getKey()))
            .collect(Collectors.joining(", "));
    return passed() ? numbers : format("FAILED: %s (%s)", String.join("; ", problems), numbers);
  }
}
