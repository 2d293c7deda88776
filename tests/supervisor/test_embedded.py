def test_x(durable_redis):
    durable_redis.set("a",1)
    print(durable_redis.connection_pool.connection_kwargs)
def test_y(db): pass
