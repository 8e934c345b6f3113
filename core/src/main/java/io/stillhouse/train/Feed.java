package io.stillhouse.train;

import io.stillhouse.target.Example;
import io.stillhouse.target.TargetSource;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;

/** Reads the rows of each step, holding the units that the step touches and no others. */
final class Feed {
  private final TargetSource source;
  private final RowOrder order;
  private final Map<Integer, List<Example>> held = new HashMap<>();

  Feed(TargetSource source, RowOrder order) {
    this.source = source;
    this.order = order;
  }

  List<Example> step(long step) throws IOException {
    List<RowOrder.Place> places = order.step(step);
    Set<Integer> units = places.stream().map(RowOrder.Place::unit).collect(Collectors.toSet());
    held.keySet().retainAll(units);
    List<Example> rows = new ArrayList<>(places.size());
    for (RowOrder.Place place : places) {
      List<Example> unit = held.get(place.unit());
      if (unit == null) {
        unit = source.read(place.unit());
        held.put(place.unit(), unit);
      }
      rows.add(unit.get(place.row()));
    }
    return rows;
  }
}
