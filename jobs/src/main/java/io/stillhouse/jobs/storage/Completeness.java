package io.stillhouse.jobs.storage;

import java.lang.reflect.Method;
import java.lang.reflect.RecordComponent;
import java.util.Collection;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Checks objects that were read from JSON: Gson sets a component that the JSON lacks to null. */
public final class Completeness {
  private Completeness() {}

  /**
   * Returns whether all components of a record, and of the records in it, have a value. Nullable
   * components may be null.
   */
  public static boolean isComplete(@Nullable Object value) {
    if (value == null) {
      return false;
    }
    if (value instanceof Collection<?> values) {
      return values.stream().allMatch(Completeness::isComplete);
    }
    if (value instanceof Map<?, ?> map) {
      return isComplete(map.keySet()) && isComplete(map.values());
    }
    if (!value.getClass().isRecord()) {
      return true;
    }
    for (RecordComponent component : value.getClass().getRecordComponents()) {
      boolean optional = component.getAnnotatedType().isAnnotationPresent(Nullable.class);
      Object part = part(value, component);
      if (!(part == null && optional) && !isComplete(part)) {
        return false;
      }
    }
    return true;
  }

  private static @Nullable Object part(Object value, RecordComponent component) {
    try {
      Method accessor = component.getAccessor();
      accessor.setAccessible(true); // the record may be private to its package
      return accessor.invoke(value);
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException("cannot read " + component, e);
    }
  }
}
