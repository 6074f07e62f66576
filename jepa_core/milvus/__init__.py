"""The same descriptors in Milvus, a distributed vector database: same ids, filters and fencing.

`pymilvus` is an optional dependency (`jepa-search[milvus]`) and imported when a database is reached only.
"""
