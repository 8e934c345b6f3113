package io.stillhouse.checkpoint;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;

/** Writes float32 tensors as {@code torch.save} writes a {@code state_dict}. */
public final class PickleWriter {
  private PickleWriter() {}

  public static Path write(Path file, Map<String, LazyTensor> tensors) throws IOException {
    ByteArrayOutputStream pickle = new ByteArrayOutputStream();
    ascii(pickle, "\u0080\u0002ccollections\nOrderedDict\n)R(");
    try (OutputStream out = Files.newOutputStream(file);
        ZipOutputStream zip = new ZipOutputStream(out)) {
      int key = 0;
      for (Map.Entry<String, LazyTensor> tensor : tensors.entrySet()) {
        long[] shape = tensor.getValue().shape().getShape();
        text(pickle, tensor.getKey());
        ascii(pickle, "ctorch._utils\n_rebuild_tensor_v2\n((");
        text(pickle, "storage");
        ascii(pickle, "ctorch\nFloatStorage\n");
        text(pickle, Integer.toString(key));
        text(pickle, "cpu");
        number(pickle, tensor.getValue().shape().size());
        ascii(pickle, "tQ");
        number(pickle, 0);
        ascii(pickle, "(");
        for (long dimension : shape) {
          number(pickle, dimension);
        }
        ascii(pickle, "t(");
        for (int i = 0; i < shape.length; i++) {
          long stride = 1;
          for (int j = i + 1; j < shape.length; j++) {
            stride *= shape[j];
          }
          number(pickle, stride);
        }
        ascii(pickle, "t\u0089ccollections\nOrderedDict\n)RtR");
        ByteBuffer values = tensor.getValue().bytes().read();
        byte[] bytes = new byte[values.remaining()];
        values.get(bytes);
        store(zip, "model/data/" + key++, bytes);
      }
      ascii(pickle, "u.");
      store(zip, "model/data.pkl", pickle.toByteArray());
    }
    return file;
  }

  private static void ascii(ByteArrayOutputStream out, String text) {
    out.writeBytes(text.getBytes(StandardCharsets.ISO_8859_1));
  }

  private static void text(ByteArrayOutputStream out, String text) {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    out.write('X');
    out.writeBytes(int32(bytes.length));
    out.writeBytes(bytes);
  }

  private static void number(ByteArrayOutputStream out, long number) {
    out.write('J');
    out.writeBytes(int32((int) number));
  }

  private static byte[] int32(int number) {
    return ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN).putInt(number).array();
  }

  private static void store(ZipOutputStream zip, String name, byte[] bytes) throws IOException {
    ZipEntry entry = new ZipEntry(name);
    CRC32 crc = new CRC32();
    crc.update(bytes);
    entry.setMethod(ZipEntry.STORED);
    entry.setSize(bytes.length);
    entry.setCrc(crc.getValue());
    zip.putNextEntry(entry);
    zip.write(bytes);
    zip.closeEntry();
  }
}
