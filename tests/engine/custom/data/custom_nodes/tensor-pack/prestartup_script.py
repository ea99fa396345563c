import os

os.environ["TENSOR_PACK_STARTED"] = "yes"
