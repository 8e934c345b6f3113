"""Stages for Spark ML pipelines: TextClassifier and TextEmbedder, which apply a model to a column of texts.

The stages are wrappers of the Java classes of the same names in io.stillhouse.spark, which document the parameters. The jar contains
this package, so no installation is needed: spark-submit --jars stillhouse.jar --py-files stillhouse.jar

PySpark looks for the wrapper of a saved stage in the Python module with the name of the stage's Java package. Python cannot import
io.stillhouse, because io is a module of its standard library, so this module registers itself under that name. Import it before
PipelineModel.load.
"""

import sys

from py4j.protocol import Py4JJavaError
from pyspark import keyword_only
from pyspark.ml.param import Param, Params, TypeConverters
from pyspark.ml.param.shared import HasInputCol, HasOutputCol
from pyspark.ml.util import JavaMLReadable, JavaMLReader, JavaMLWritable
from pyspark.ml.wrapper import JavaTransformer

__all__ = ["TextClassifier", "TextEmbedder"]

_JAVA_PACKAGE = "io.stillhouse.spark"
_JAVA_ERROR = "io.stillhouse.error.StillhouseException"

sys.modules[_JAVA_PACKAGE] = sys.modules[__name__]


class _Reader(JavaMLReader):
    @classmethod
    def _java_loader_class(cls, clazz):
        return f"{_JAVA_PACKAGE}.{clazz.__name__}"


class _TextTransformer(JavaTransformer, HasInputCol, HasOutputCol, JavaMLReadable, JavaMLWritable):
    modelUrl = Param(
        Params._dummy(), "modelUrl", "Hadoop path of a model's directory, or of an .onnx or .pt file of an export", TypeConverters.toString
    )
    engine = Param(Params._dummy(), "engine", "PyTorch or OnnxRuntime; by default, the engine that modelUrl needs", TypeConverters.toString)
    batchSize = Param(Params._dummy(), "batchSize", "number of rows that are computed together", TypeConverters.toInt)
    maxLength = Param(Params._dummy(), "maxLength", "number of tokens to which texts are truncated", TypeConverters.toInt)
    copyModel = Param(Params._dummy(), "copyModel", "whether a saved stage contains a copy of the model's files", TypeConverters.toBoolean)

    def __init__(self):
        super().__init__()
        self._java_obj = self._new_java_obj(f"{_JAVA_PACKAGE}.{type(self).__name__}", self.uid)
        self._setDefault(batchSize=100, copyModel=True)

    def _set_given(self):
        self._set(**{name: value for name, value in self._input_kwargs.items() if value is not None})

    def setInputCol(self, value):
        return self._set(inputCol=value)

    def setOutputCol(self, value):
        return self._set(outputCol=value)

    def getModelUrl(self):
        return self.getOrDefault(self.modelUrl)

    def setModelUrl(self, value):
        return self._set(modelUrl=value)

    def getEngine(self):
        return self.getOrDefault(self.engine)

    def setEngine(self, value):
        return self._set(engine=value)

    def getBatchSize(self):
        return self.getOrDefault(self.batchSize)

    def setBatchSize(self, value):
        return self._set(batchSize=value)

    def getMaxLength(self):
        return self.getOrDefault(self.maxLength)

    def setMaxLength(self, value):
        return self._set(maxLength=value)

    def getCopyModel(self):
        return self.getOrDefault(self.copyModel)

    def setCopyModel(self, value):
        return self._set(copyModel=value)

    @classmethod
    def read(cls):
        return _Reader(cls)

    def _transform(self, dataset):
        try:
            return super()._transform(dataset)
        except Py4JJavaError as error:
            if error.java_exception.getClass().getName() != _JAVA_ERROR:
                raise
            raise ValueError(error.java_exception.getMessage()) from None


class TextClassifier(_TextTransformer):
    """Classifies texts. The output column is a struct of class_names and probabilities, most probable first, and top_k."""

    topK = Param(Params._dummy(), "topK", "number of classes in top_k", TypeConverters.toInt)

    @keyword_only
    def __init__(
        self, *, inputCol=None, outputCol=None, modelUrl=None, engine=None, batchSize=None, maxLength=None, copyModel=None, topK=None
    ):
        super().__init__()
        self._setDefault(topK=5)
        self._set_given()

    def getTopK(self):
        return self.getOrDefault(self.topK)

    def setTopK(self, value):
        return self._set(topK=value)

    def classify(self, dataset):
        return self.transform(dataset)


class TextEmbedder(_TextTransformer):
    """Embeds texts. The output column is an array of float: the mean of the last hidden states, or the state of [CLS]."""

    pooling = Param(Params._dummy(), "pooling", "mean or cls", TypeConverters.toString)
    normalize = Param(Params._dummy(), "normalize", "whether embeddings are scaled to Euclidean length 1", TypeConverters.toBoolean)

    @keyword_only
    def __init__(
        self,
        *,
        inputCol=None,
        outputCol=None,
        modelUrl=None,
        engine=None,
        batchSize=None,
        maxLength=None,
        copyModel=None,
        pooling=None,
        normalize=None,
    ):
        super().__init__()
        self._setDefault(pooling="mean", normalize=True)
        self._set_given()

    def getPooling(self):
        return self.getOrDefault(self.pooling)

    def setPooling(self, value):
        return self._set(pooling=value)

    def getNormalize(self):
        return self.getOrDefault(self.normalize)

    def setNormalize(self, value):
        return self._set(normalize=value)

    def embed(self, dataset):
        return self.transform(dataset)
