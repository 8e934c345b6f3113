package io.stillhouse.checkpoint.pickle;

import static io.stillhouse.error.Text.format;

import java.math.BigInteger;
import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Runs the instructions of a pickle (Lib/pickletools.py of CPython) that build strings, numbers,
 * lists, tuples, dictionaries and tensors. Each instruction consumes bytes of the file, and no
 * length is trusted before as many bytes were found, and calls copy at most as many values as the
 * file has bytes, so memory is bounded by the file's size.
 *
 * <p>Values are Java's: {@code Long}, {@code BigInteger}, {@code Double}, {@code Boolean}, {@code
 * String}, {@code byte[]}, {@code List} for lists and tuples, {@code Map}, null for None, {@link
 * Globals}, {@link Dtype}, {@link Storage} and {@link PickledTensor}.
 */
final class PickleMachine {
  private final ByteBuffer bytes;
  private final Deque<List<@Nullable Object>> marked = new ArrayDeque<>();
  private final Map<Integer, @Nullable Object> memo = new HashMap<>();
  private List<@Nullable Object> stack = new ArrayList<>();

  /** The number of values in the lists that functions were called with. */
  private long passed;

  private PickleMachine(ByteBuffer bytes) {
    this.bytes = bytes;
  }

  /**
   * Returns the value of the pickle at the buffer's position, and moves the position to its end.
   *
   * @throws PickleException if the pickle is damaged or uses what is not allowed
   */
  static @Nullable Object load(ByteBuffer bytes) throws PickleException {
    bytes.order(ByteOrder.LITTLE_ENDIAN);
    try {
      return new PickleMachine(bytes).run();
    } catch (BufferUnderflowException e) {
      throw PickleException.damaged("it ends within an instruction");
    }
  }

  /** Returns a key of a dictionary: strings and numbers only. */
  static Object key(@Nullable Object key) throws PickleException {
    if (key instanceof String || key instanceof Long) {
      return key;
    }
    throw PickleException.damaged("a key is neither a string nor a number");
  }

  private @Nullable Object run() throws PickleException {
    while (true) {
      int instruction = bytes.get() & 0xff;
      if (instruction == '.') {
        return pop();
      }
      if (!value(instruction) && !collection(instruction) && !object(instruction)) {
        throw PickleException.refused(format("the pickle instruction 0x%02x", instruction));
      }
    }
  }

  /** Runs an instruction that pushes a number or a text. */
  private boolean value(int instruction) throws PickleException {
    switch (instruction) {
      case 'N' -> stack.add(null);
      case 0x88 -> stack.add(true);
      case 0x89 -> stack.add(false);
      case 'J' -> stack.add((long) bytes.getInt());
      case 'K' -> stack.add((long) (bytes.get() & 0xff));
      case 'M' -> stack.add((long) (bytes.getShort() & 0xffff));
      case 0x8a -> stack.add(integer(take(bytes.get() & 0xff)));
      case 'G' -> stack.add(Double.longBitsToDouble(Long.reverseBytes(bytes.getLong())));
      case 'X' -> stack.add(text(bytes.getInt()));
      case 0x8c, 'U' -> stack.add(text(bytes.get() & 0xff));
      case 'T' -> stack.add(text(bytes.getInt()));
      case 'B' -> stack.add(take(bytes.getInt()));
      case 'C' -> stack.add(take(bytes.get() & 0xff));
      default -> {
        return false;
      }
    }
    return true;
  }

  /** Runs an instruction that builds lists, tuples and dictionaries. */
  private boolean collection(int instruction) throws PickleException {
    switch (instruction) {
      case '(' -> {
        marked.push(stack);
        stack = new ArrayList<>();
      }
      case ')', ']' -> stack.add(new ArrayList<>());
      case 0x85 -> stack.add(top(1));
      case 0x86 -> stack.add(top(2));
      case 0x87 -> stack.add(top(3));
      case 't', 'l' -> {
        List<@Nullable Object> items = sinceMark(); // replaces the stack
        stack.add(items);
      }
      case 'a' -> {
        Object item = pop();
        list().add(item);
      }
      case 'e' -> {
        List<@Nullable Object> items = sinceMark();
        list().addAll(items);
      }
      case '}' -> stack.add(new LinkedHashMap<Object, @Nullable Object>());
      case 'd' -> {
        List<@Nullable Object> items = sinceMark();
        stack.add(new LinkedHashMap<Object, @Nullable Object>());
        put(items);
      }
      case 's' -> put(top(2));
      case 'u' -> put(sinceMark());
      default -> {
        return false;
      }
    }
    return true;
  }

  /** Runs an instruction that names or calls a function, or remembers a value. */
  private boolean object(int instruction) throws PickleException {
    switch (instruction) {
      case 0x80 -> bytes.get(); // protocol version
      case 0x95 -> bytes.getLong(); // length of a frame
      case '0' -> pop();
      case 'q' -> memo.put(bytes.get() & 0xff, peek());
      case 'r' -> memo.put(bytes.getInt(), peek());
      case 0x94 -> memo.put(memo.size(), peek());
      case 'h' -> recall(bytes.get() & 0xff);
      case 'j' -> recall(bytes.getInt());
      case 'c' -> stack.add(Globals.named(line(), line()));
      case 0x93 -> {
        List<@Nullable Object> names = top(2);
        if (!(names.get(0) instanceof String module) || !(names.get(1) instanceof String name)) {
          throw PickleException.damaged("the name of a function is not a string");
        }
        stack.add(Globals.named(module, name));
      }
      case 'R', 0x81 -> call(top(2));
      case 'b' -> pop(); // the state of an OrderedDict is the metadata of a state_dict
      case 'Q' -> stack.add(storage(pop()));
      default -> {
        return false;
      }
    }
    return true;
  }

  private void call(List<@Nullable Object> functionAndArguments) throws PickleException {
    if (functionAndArguments.get(0) instanceof Globals global
        && functionAndArguments.get(1) instanceof List<?> arguments) {
      @SuppressWarnings("unchecked") // all lists are made above
      List<@Nullable Object> any = (List<@Nullable Object>) arguments;
      requireNoMoreThanWritten(any);
      stack.add(global.call(any));
      return;
    }
    throw PickleException.damaged("it calls what is not a function");
  }

  /**
   * Bounds the values that functions copy: one list, recalled for call after call, would otherwise
   * fill the memory. Every value takes at least a byte.
   */
  private void requireNoMoreThanWritten(List<@Nullable Object> arguments) throws PickleException {
    for (Object argument : arguments) {
      passed += argument instanceof List<?> list ? list.size() : 0;
    }
    if (passed > bytes.limit()) {
      throw PickleException.damaged("its calls copy more values than it has bytes");
    }
  }

  /** Returns the storage of a persistent id: ("storage", class, key, device, count, ...). */
  private static Storage storage(@Nullable Object id) throws PickleException {
    if (id instanceof List<?> parts
        && parts.size() >= 5
        && "storage".equals(parts.get(0))
        && parts.get(1) instanceof Dtype dtype
        && parts.get(2) instanceof String key
        && parts.get(4) instanceof Long count
        && count >= 0) {
      if (parts.size() > 5 && parts.get(5) != null) {
        throw PickleException.refused("a view of another storage");
      }
      return new Storage(dtype, key, count);
    }
    throw PickleException.damaged("a persistent id is not a storage");
  }

  private void put(List<@Nullable Object> keysAndValues) throws PickleException {
    if (keysAndValues.size() % 2 != 0 || !(peek() instanceof Map<?, ?> map)) {
      throw PickleException.damaged("it sets items of what is not a dictionary");
    }
    @SuppressWarnings("unchecked") // all dictionaries are made above
    Map<Object, @Nullable Object> dictionary = (Map<Object, @Nullable Object>) map;
    for (int i = 0; i < keysAndValues.size(); i += 2) {
      dictionary.put(key(keysAndValues.get(i)), keysAndValues.get(i + 1));
    }
  }

  @SuppressWarnings("unchecked") // all lists are made above
  private List<@Nullable Object> list() throws PickleException {
    if (peek() instanceof ArrayList<?> list) {
      return (List<@Nullable Object>) list;
    }
    throw PickleException.damaged("it appends to what is not a list");
  }

  private List<@Nullable Object> sinceMark() throws PickleException {
    if (marked.isEmpty()) {
      throw PickleException.damaged("a mark is missing");
    }
    List<@Nullable Object> items = stack;
    stack = marked.pop();
    return items;
  }

  private List<@Nullable Object> top(int count) throws PickleException {
    if (stack.size() < count) {
      throw PickleException.damaged("its stack is empty");
    }
    List<@Nullable Object> tail = stack.subList(stack.size() - count, stack.size());
    List<@Nullable Object> items = new ArrayList<>(tail);
    tail.clear();
    return items;
  }

  private @Nullable Object pop() throws PickleException {
    return top(1).get(0);
  }

  private @Nullable Object peek() throws PickleException {
    if (stack.isEmpty()) {
      throw PickleException.damaged("its stack is empty");
    }
    return stack.get(stack.size() - 1);
  }

  private void recall(int index) throws PickleException {
    if (!memo.containsKey(index)) {
      throw PickleException.damaged("it recalls what was not remembered");
    }
    stack.add(memo.get(index));
  }

  private byte[] take(int count) throws PickleException {
    if (count < 0 || count > bytes.remaining()) {
      throw PickleException.damaged(format("a value of %d bytes does not fit", count));
    }
    byte[] taken = new byte[count];
    bytes.get(taken);
    return taken;
  }

  private String text(int count) throws PickleException {
    return new String(take(count), StandardCharsets.UTF_8);
  }

  /** Returns a little-endian integer: a Long, or a BigInteger if it has more than 8 bytes. */
  private static Object integer(byte[] littleEndian) {
    byte[] bigEndian = new byte[littleEndian.length];
    for (int i = 0; i < bigEndian.length; i++) {
      bigEndian[i] = littleEndian[bigEndian.length - 1 - i];
    }
    BigInteger number = bigEndian.length == 0 ? BigInteger.ZERO : new BigInteger(bigEndian);
    return number.bitLength() < Long.SIZE ? (Object) number.longValue() : number;
  }

  /** Returns the text up to a line feed. */
  private String line() throws PickleException {
    int start = bytes.position();
    while (bytes.get() != '\n') {
      // the loop ends with an exception at the end of the file
    }
    int count = bytes.position() - start - 1;
    return new String(bytes.array(), bytes.arrayOffset() + start, count, StandardCharsets.UTF_8);
  }
}
