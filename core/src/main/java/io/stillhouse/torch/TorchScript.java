package io.stillhouse.torch;

import static io.stillhouse.error.Text.format;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.pytorch.engine.PtNDArray;
import ai.djl.pytorch.engine.PtNDManager;
import ai.djl.pytorch.engine.PtSymbolBlock;
import ai.djl.pytorch.jni.IValue;
import ai.djl.pytorch.jni.JniUtils;
import io.stillhouse.error.Errors;
import io.stillhouse.spec.Precision;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Compiles TorchScript from resource files, without Python. It gives access to operators of
 * libtorch that DJL does not bind, such as the fused optimizers, and runs many operators in one
 * call.
 *
 * <p>A resource file is the Python that libtorch loads from a saved module: a class {@code
 * Ops(Module)} with an attribute {@code training: bool} and methods, and any number of {@code
 * NamedTuple} classes, which code refers to as {@code __torch__.Name}. There are no imports.
 * Constants of Python's torch module, such as {@code torch.float32}, are written as libtorch's
 * numbers: 3 is int32, 6 float32, 15 bfloat16.
 */
public final class TorchScript {
  private static final Map<String, String> SOURCES = new ConcurrentHashMap<>();

  private TorchScript() {}

  /**
   * Compiles the class {@code Ops} of a resource file.
   *
   * @param manager determines the device of the module; the caller closes the returned block
   * @param owner a class in the package of the file
   * @param file name of the file
   * @throws IllegalStateException if there is no such file
   */
  public static PtSymbolBlock compile(NDManager manager, Class<?> owner, String file) {
    return load(manager, Map.of("__torch__", source(owner, file)));
  }

  /**
   * Compiles the class {@code Ops} of a resource file that multiplies by the weights of linear
   * layers. The file calls {@code __torch__.products.linear}, {@code product} and {@code
   * add_outer}, which are the fastest on the device.
   *
   * @param precision precision of the products; the caller checks that the device supports it
   */
  public static PtSymbolBlock compile(
      NDManager manager, Class<?> owner, String file, Precision precision) {
    String library = manager.getDevice().isGpu() ? "libtorch" : "onednn";
    String products =
        format("products_%s_%s.py", library, precision.name().toLowerCase(Locale.ROOT));
    Map<String, String> sources = new LinkedHashMap<>();
    sources.put("__torch__", source(owner, file));
    sources.put("__torch__/products", source(TorchScript.class, products));
    return load(manager, sources);
  }

  /**
   * Loads a module that was saved by {@code torch.jit.save}, or an export of our own.
   *
   * @param manager determines the device of the module; the caller closes the returned block
   * @throws io.stillhouse.error.StillhouseException if libtorch cannot read the file
   */
  public static PtSymbolBlock load(NDManager manager, Path file) {
    try {
      return JniUtils.loadModule(
          (PtNDManager) manager, file, true, new String[0], new String[0], false);
    } catch (RuntimeException e) { // of DJL, with the text of a C++ exception
      String reason = String.valueOf(e.getMessage()).lines().findFirst().orElse("");
      throw Errors.invalid(
          format("libtorch cannot read '%s': %s", file, Errors.shortened(reason)),
          "export the model again, or save it with torch.jit.save",
          e);
    }
  }

  /**
   * Returns a list of tensors as an argument of a method; the caller closes it.
   *
   * @param arrays arrays of DJL's PyTorch engine
   */
  public static IValue list(Collection<NDArray> arrays) {
    return IValue.listFrom(arrays.stream().map(PtNDArray.class::cast).toArray(PtNDArray[]::new));
  }

  /**
   * Stops libtorch from optimizing the methods that this thread runs. On a GPU it would otherwise
   * generate and compile code for the shapes of each batch.
   */
  public static void disableOptimization() {
    JniUtils.setGraphExecutorOptimize(false);
  }

  /**
   * Returns the text of a resource file.
   *
   * @param owner a class in the package of the file
   * @throws IllegalStateException if there is no such file
   */
  public static String source(Class<?> owner, String file) {
    return SOURCES.computeIfAbsent(
        owner.getPackageName() + "/" + file,
        path -> {
          try (InputStream bytes = owner.getResourceAsStream(file)) {
            if (bytes == null) {
              throw new IllegalStateException("no resource file " + path);
            }
            return new String(bytes.readAllBytes(), StandardCharsets.UTF_8);
          } catch (IOException e) {
            throw new UncheckedIOException("resource file " + path + " cannot be read", e);
          }
        });
  }

  /**
   * Loads a module.
   *
   * @param sources source text by Python module, as a path
   */
  private static PtSymbolBlock load(NDManager manager, Map<String, String> sources) {
    try {
      return JniUtils.loadModule(
          (PtNDManager) manager, new ByteArrayInputStream(archive(sources)), false, false);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static byte[] archive(Map<String, String> sources) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (ScriptArchive archive = new ScriptArchive("ops", bytes)) {
      // A pickle of one object: class __torch__.Ops, {"training": False}.
      archive.module(
          "\u0080\u0002c__torch__\nOps\n)\u0081}X\u0008\u0000\u0000\u0000training\u0089sb."
              .getBytes(StandardCharsets.ISO_8859_1));
      for (Map.Entry<String, String> source : sources.entrySet()) {
        archive.source(source.getKey(), source.getValue());
      }
    }
    return bytes.toByteArray();
  }
}
