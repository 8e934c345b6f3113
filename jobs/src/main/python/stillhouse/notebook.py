"""Caches and students in Jupyter: Cache, Students and Comparison, as Spark DataFrames and pictures.

The classes wrap the Java classes of the same names in io.stillhouse.notebook, which document the columns of the DataFrames. Methods with a
picture return Html, which Jupyter displays. Mistakes are ValueErrors. The jar contains this package, so no installation is needed:
spark.jars=stillhouse.jar and spark.submit.pyFiles=stillhouse.jar.

    from stillhouse.notebook import Cache
    cache = Cache.open(spark, "my-cache").sample(1000)
    cache.rows("hidden_06").select("tokens", "hidden_06").toPandas()
    cache.attention_map("train.tsv:7", layer=3, head=2)
"""

from py4j.protocol import Py4JJavaError
from pyspark.sql import DataFrame

__all__ = ["Cache", "Comparison", "Html", "Students"]

_JAVA_PACKAGE = "io.stillhouse.notebook"
_JAVA_ERROR = "io.stillhouse.error.StillhouseException"


class Html(str):
    """A picture, as HTML."""

    def _repr_html_(self):
        return str(self)


def _call(method, *arguments):
    try:
        return method(*arguments)
    except Py4JJavaError as error:
        if error.java_exception.getClass().getName() != _JAVA_ERROR:
            raise
        raise ValueError(error.java_exception.getMessage()) from None


class _Wrapper:
    def __init__(self, spark, java):
        self._spark = spark
        self._java = java

    @classmethod
    def open(cls, spark, path):
        """Opens a path of any of Hadoop's file systems."""
        java = getattr(spark._jvm, f"{_JAVA_PACKAGE}.{cls.__name__}")
        return cls(spark, _call(java.open, spark._jsparkSession, str(path)))

    def _value(self, method, *arguments):
        return _call(getattr(self._java, method), *arguments)

    def _frame(self, method, *arguments):
        return DataFrame(self._value(method, *arguments), self._spark)

    def _picture(self, method, *arguments):
        return Html(self._value(method, *arguments))


class Cache(_Wrapper):
    """A cache of a teacher's targets."""

    def teacher(self, name):
        return Cache(self._spark, self._value("teacher", name))

    def sample(self, rows):
        return Cache(self._spark, self._value("sample", rows))

    def families(self):
        return self._frame("families")

    def columns(self):
        return self._frame("columns")

    def shards(self):
        return self._frame("shards")

    def rows(self, *columns):
        gateway = self._spark.sparkContext._gateway
        names = gateway.new_array(gateway.jvm.String, len(columns))
        for n, column in enumerate(columns):
            names[n] = column
        return self._frame("rows", names)

    def lengths(self):
        return self._frame("lengths")

    def certainty(self):
        return self._frame("certainty")

    def magnitudes(self):
        return self._frame("magnitudes")

    def heads(self):
        return self._frame("heads")

    def attention(self, id):
        return self._frame("attention", id)

    def attention_map(self, id, layer, head):
        return self._picture("attentionMap", id, layer, head)

    def attention_grid(self, id):
        return self._picture("attentionGrid", id)

    def head_map(self, measure):
        return self._picture("headMap", measure)


class Students(_Wrapper):
    """The students of a run of train, sweep, distill or quickstart."""

    def directory(self, student):
        return self._value("directory", student)

    def table(self):
        return self._frame("table")

    def curves(self):
        return self._frame("curves")

    def evaluation(self, path):
        return self._frame("evaluation", str(path))

    def size_and_quality(self, path):
        return self._picture("sizeAndQuality", str(path))

    def compare(self, cache, rows):
        return Comparison(self._spark, self._value("compare", str(cache), rows))


class Comparison(_Wrapper):
    """A teacher and its students on rows of a cache; see Students.compare."""

    def models(self):
        return self._frame("models")

    def left_out(self):
        return self._frame("leftOut")

    def texts(self):
        return self._frame("texts")

    def calibration(self):
        return self._frame("calibration")

    def confusion(self):
        return self._frame("confusion")

    def layers(self):
        return self._frame("layers")

    def layer_map(self, model):
        return self._picture("layerMap", model)

    def reliability(self):
        return self._picture("reliability")

    def confusion_map(self, model):
        return self._picture("confusionMap", model)

    def agreement_map(self, student):
        return self._picture("agreementMap", student)
