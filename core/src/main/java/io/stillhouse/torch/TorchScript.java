package io.stillhouse.torch;

import ai.djl.ndarray.NDManager;
import ai.djl.pytorch.engine.PtNDManager;
import ai.djl.pytorch.engine.PtSymbolBlock;
import ai.djl.pytorch.jni.JniUtils;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;

/**
 * Turns TorchScript source into a module, in Java alone. It reaches operators of libtorch that DJL
 * does not bind, such as the fused optimisers.
 */
public final class TorchScript {
  private TorchScript() {}

  /**
   * Compiles the methods of one class without parameters.
   *
   * @param manager whose device the module lives on; the caller closes the block
   * @param methods Python source of the methods, indented by two spaces, with {@code self} typed
   *     {@code __torch__.Ops}
   */
  public static PtSymbolBlock compile(NDManager manager, String methods) {
    String source =
        "class Ops(Module):\n  __parameters__ = []\n  __buffers__ = []\n  training : bool\n"
            + methods;
    try {
      return JniUtils.loadModule(
          (PtNDManager) manager, new ByteArrayInputStream(archive(source)), false, false);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /**
   * Lets methods run as they are written on this thread: on a GPU libtorch would fuse operators by
   * code that it makes anew for the shapes of each batch.
   */
  public static void runAsWritten() {
    JniUtils.setGraphExecutorOptimize(false);
  }

  private static byte[] archive(String source) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (ZipOutputStream zip = new ZipOutputStream(bytes)) {
      // A pickle of one object: class __torch__.Ops, {"training": False}.
      store(
          zip,
          "ops/data.pkl",
          "\u0080\u0002c__torch__\nOps\n)\u0081}X\u0008\u0000\u0000\u0000training\u0089sb."
              .getBytes(StandardCharsets.ISO_8859_1));
      store(zip, "ops/constants.pkl", "\u0080\u0002).".getBytes(StandardCharsets.ISO_8859_1));
      store(zip, "ops/code/__torch__.py", source.getBytes(StandardCharsets.UTF_8));
      store(zip, "ops/version", "3\n".getBytes(StandardCharsets.US_ASCII));
    }
    return bytes.toByteArray();
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
