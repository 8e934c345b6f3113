package io.stillhouse.jobs.spark;

import static io.stillhouse.error.Text.format;

import ai.djl.Device;
import ai.djl.engine.Engine;
import ai.djl.ndarray.NDManager;
import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.error.Errors;
import io.stillhouse.spec.Precision;
import io.stillhouse.torch.TorchScript;
import org.apache.spark.SparkContext;
import org.apache.spark.TaskContext;
import org.apache.spark.resource.ResourceInformation;
import org.jspecify.annotations.Nullable;

/**
 * The device on which a task computes: the GPU whose address Spark assigned, or the CPU. All base
 * managers are created here, because DJL's own default is the first GPU for every task of a
 * machine.
 */
public final class Devices {
  /** The local property that carries the recipe's choice to tasks. */
  private static final String CHOICE = "stillhouse.device";

  private static final String GPU = "gpu";
  private static final String AMOUNT = "spark.task.resource.gpu.amount";

  private Devices() {}

  /**
   * Sets the recipe's choice for the tasks of this thread's jobs.
   *
   * @throws io.stillhouse.error.StillhouseException if the recipe asks for GPUs that Spark does not
   *     assign
   */
  static void choose(SparkContext spark, Settings settings) {
    String choice = settings.get(Options.DEVICE);
    double amount = spark.conf().getDouble(AMOUNT, 0);
    if (choice.equals(GPU) && !spark.isLocal() && amount == 0) {
      throw Errors.invalid(
          format("device is gpu, but Spark assigns no GPUs to tasks (%s is not set)", AMOUNT),
          "start it with --properties-file conf/spark-gpu.conf, or set device=cpu");
    }
    if (choice.equals(GPU) && spark.isLocal() && Engine.getInstance().getGpuCount() == 0) {
      throw Errors.invalid(
          format(
              "device is gpu, but libtorch %s finds no GPU on this machine",
              Engine.getInstance().getVersion()),
          "install a build with CUDA (see conf/spark-gpu.conf), or set device=cpu");
    }
    if (amount > 0 && amount < 1) {
      throw Errors.badValue(AMOUNT, "1: tasks that share a GPU share its memory", "" + amount);
    }
    spark.setLocalProperty(CHOICE, choice);
  }

  /** Returns a manager on the device of this task; the caller closes it. */
  public static NDManager manager() {
    Device device = ofTask();
    if (device.isGpu()) {
      TorchScript.disableOptimization();
    }
    return NDManager.newBaseManager(device);
  }

  /**
   * Requires that teachers can run in a precision on the device of a manager.
   *
   * @throws io.stillhouse.error.StillhouseException if they cannot; GPUs support only float32
   */
  public static void requireCachePrecision(Precision precision, NDManager manager) {
    String key = Options.CACHE_PRECISION.key();
    if (manager.getDevice().isGpu()) {
      precision.requireProcessor(key, "");
    } else {
      precision.requireProcessor(key);
    }
  }

  /** Returns a manager on the CPU, for work outside of tasks; the caller closes it. */
  public static NDManager cpu() {
    return NDManager.newBaseManager(Device.cpu());
  }

  /**
   * Returns the device of this task.
   *
   * @throws io.stillhouse.error.StillhouseException if Spark assigned a GPU that libtorch does not
   *     find
   */
  public static Device ofTask() {
    TaskContext task = TaskContext.get();
    String choice = task == null ? "cpu" : task.getLocalProperty(CHOICE);
    String address = address();
    if (choice == null || choice.equals("cpu") || choice.equals("auto") && address == null) {
      return Device.cpu();
    }
    int index = index(address);
    int found = Engine.getInstance().getGpuCount();
    if (index >= found) {
      throw Errors.invalid(
          format(
              "Spark assigned GPU %d to this task, but libtorch %s finds %d GPUs here",
              index, Engine.getInstance().getVersion(), found),
          "install libtorch with CUDA on every machine and let the discovery script list its GPUs"
              + " (see conf/spark-gpu.conf), or set device=cpu");
    }
    return Device.gpu(index);
  }

  /** Returns the address of the GPU that Spark assigned to this task, or null. */
  public static @Nullable String address() {
    TaskContext task = TaskContext.get();
    ResourceInformation gpu = task == null ? null : task.resourcesJMap().get(GPU);
    return gpu == null || gpu.addresses().length == 0 ? null : gpu.addresses()[0];
  }

  private static int index(@Nullable String address) {
    if (address == null) {
      return 0; // a local session, which schedules no GPUs
    }
    if (!address.matches("\\d{1,4}")) {
      throw Errors.invalid(
          format("Spark assigned GPU '%s' to this task, which is not an index", address),
          "let the discovery script print indices (with MIG, show each executor one slice with"
              + " CUDA_VISIBLE_DEVICES and print 0)");
    }
    return Integer.parseInt(address);
  }
}
